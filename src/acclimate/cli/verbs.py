"""The command: every verb, in the order of the help. A verb parses, calls and prints; no logic.

Heavy imports wait until a verb needs them, so that help answers at once.
"""

import sys
from typing import Annotated

import typer

from acclimate import __version__
from acclimate.cli import looks, models, serve, store, studies, use, vectors
from acclimate.cli.guard import guarded

VERBS = (
    studies.demo,
    studies.init,
    studies.plan,
    studies.study,
    studies.watch,
    studies.report,
    studies.verdict,
    models.pretrain,
    models.prune,
    models.extend,
    models.tokenizer,
    models.finetune,
    models.distill,
    models.distill_vectors,
    use.predict,
    use.evaluate,
    use.speed,
    use.export,
    vectors.encode,
    vectors.search,
    serve.serve,
    serve.ui,
    looks.attention,
    looks.overlap,
    looks.leaks,
    looks.doctor,
    looks.schema,
)
STORE_VERBS = (store.ls, store.prune)

app = typer.Typer(
    name="acclimate",
    help="Adapt a pretrained language model to your domain and task, and see with evidence which way is worth its cost.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
store_app = typer.Typer(help="The artifacts that studies share.", no_args_is_help=True)
for verb in VERBS:
    app.command()(guarded(verb))
for verb in STORE_VERBS:
    store_app.command()(guarded(verb))
app.add_typer(store_app, name="store")


def _version(asked: bool) -> None:
    if asked:
        print(f"acclimate {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Say which version this is.", callback=_version, is_eager=True)] = False,
) -> None:
    """Adapt a pretrained language model to your domain and task, and see with evidence which way is worth its cost."""
    guarded.debug = debug


def main() -> None:
    """The command `acclimate`."""
    with guarded.told():
        try:
            app()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
