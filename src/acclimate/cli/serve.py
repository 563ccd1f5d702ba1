"""The verbs that listen: a model behind a local HTTP endpoint, and the page. Heavy imports wait until a verb needs them."""

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import typer

from acclimate.cli import show
from acclimate.cli.options import ThreadsOption
from acclimate.cli.reading_options import Reading, reads
from acclimate.cli.vectors import DimensionsOption, Model, PoolingOption, PrecisionOption, set_threads
from acclimate.cli.zero_shot_options import ZERO_SHOT, asked_model

if TYPE_CHECKING:
    from acclimate.serving.service import Service

TOKEN = "ACCLIMATE_TOKEN"


@reads(ZERO_SHOT)
def serve(
    model: Model,
    reading: Reading,
    host: Annotated[str, typer.Option("--host", help="Address to listen at; another than this machine's own needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port to listen at; 0 takes any that is free.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option("--token", envvar=TOKEN, help="What clients must send as `Authorization: Bearer TOKEN`.", show_default=False),
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", help="A name by which clients reach it; may be repeated.", show_default=False)
    ] = None,
    vectors: Annotated[bool, typer.Option("--vectors", help="Give vectors, also of a model that has learned to answer.")] = False,
    pooling: PoolingOption = None,
    dimensions: DimensionsOption = None,
    precision: PrecisionOption = "float32",
    max_body: Annotated[int, typer.Option("--max-body", min=1, help="Bytes of a request.")] = 2 << 20,
    max_texts: Annotated[int, typer.Option("--max-texts", min=1, help="Texts, or pairs, of a request.")] = 256,
    max_characters: Annotated[int, typer.Option("--max-characters", min=1, help="Characters of a text, or of a pair.")] = 100_000,
    max_waiting: Annotated[
        int, typer.Option("--max-waiting", min=1, help="Requests at a time; further ones are told to come again.")
    ] = 256,
    timeout: Annotated[float, typer.Option("--timeout", min=0.001, max=86_400, help="Seconds from a request to its answer.")] = 30.0,
    threads: ThreadsOption = None,
) -> None:
    """Answer texts over HTTP, on this machine: JSON in, JSON out, with the answers of `predict`, or the vectors of `encode`.

    POST /predict {"texts": ["..."]} (of pairs also "texts_b"), or POST /encode; GET /model, /health and /ready. Ctrl-C and SIGTERM end it
    once the requests that are there are answered.
    """
    from acclimate.serving.extra import check_installed

    check_installed()
    from acclimate.serving.app import make_app
    from acclimate.serving.gate import Allowed
    from acclimate.serving.limits import Limits
    from acclimate.serving.server import address_of, listen, run

    allowed = Allowed.on(host, allow_host or (), token)
    limits = Limits(body=max_body, texts=max_texts, characters=max_characters, waiting=max_waiting, seconds=timeout)
    of_vectors = {"pooling": pooling, "dimensions": dimensions, "precision": None if precision == "float32" else precision}
    said = {name: value for name, value in of_vectors.items() if value is not None}
    with listen(host, port) as taken:
        set_threads(threads)
        service = _loaded(model, reading, vectors, said)
        app = make_app(service, allowed, limits, show.say)
        run(app, taken, limits, lambda: show.say(f"{model}: POST {address_of(taken)}/{service.verb} answers; Ctrl-C stops it"))
    counts = app.state.answering.responses
    told = ", ".join(f"{count:,} with {status}" for status, count in sorted(counts.items()))
    show.say(f"stopped; requests answered: {told or 'none'}")


def ui(
    folder: Annotated[Path, typer.Argument(help="The folder to work in: nothing outside of it is read or written.")] = Path("."),
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port to listen at; 0 takes any that is free.")] = 8001,
    token: Annotated[
        str | None,
        typer.Option("--token", envvar=TOKEN, help="What stands in the page's address. Default: a new one each time.", show_default=False),
    ] = None,
    max_upload: Annotated[int, typer.Option("--max-upload", min=1, help="Bytes of a file that is dropped on the page.")] = 1 << 30,
) -> None:
    """A page on this machine: look at files, compose a study, run it and watch it.

    It prints its address, which holds a token: open it in a browser. Ctrl-C ends the page, and no study that it started.
    """
    from acclimate.page.leaving import stay_here
    from acclimate.serving.extra import check_installed

    check_installed("ui")
    environment, secret = dict(os.environ), token or secrets.token_urlsafe(24)  # of studies, which may fetch their bases
    with stay_here():
        _page(folder, port, secret, max_upload, environment)
    show.say("stopped")


def _page(folder: Path, port: int, secret: str, max_upload: int, environment: dict[str, str]) -> None:
    from acclimate.page.app import UPLOAD_SECONDS, make_page
    from acclimate.page.home import Home
    from acclimate.serving.limits import Limits
    from acclimate.serving.server import address_of, listen, run

    home = Home.of(folder)
    with listen("127.0.0.1", port) as taken:
        app = make_page(home, secret, taken.getsockname()[1], show.say, max_upload, environment)
        address = f"{address_of(taken)}/?{urlencode({'token': secret})}"
        run(app, taken, Limits(arrival=UPLOAD_SECONDS), lambda: show.say(f"open {address} (Ctrl-C stops it)"))


def _loaded(model: str, reading: Reading, vectors: bool, said: dict[str, Any]) -> "Service":
    """The model, for its answers or for its vectors; `said` is said of vectors."""
    from acclimate.errors import SettingsError
    from acclimate.serving.service import answers_itself, encoding, predicting

    if reading:
        if vectors or said:
            raise SettingsError(
                "--zero-shot asks for labels, and --vectors, --pooling, --dimensions and --precision for vectors: say one of them"
            )
        return predicting(asked_model(Path(model).expanduser(), reading)[0])
    if not vectors and answers_itself(model):
        if said:
            raise SettingsError(f"--{next(iter(said))}: {model} answers with labels; say --vectors to have its vectors")
        return predicting(Path(model).expanduser())
    service, notes = encoding(model, **said)
    for note in notes:
        show.say(note)
    return service
