"""Verbs about the vectors of texts. Heavy imports wait until a verb needs them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from acclimate.cli import show
from acclimate.cli.mends import in_options, options_of
from acclimate.cli.options import MicroOption, ThreadsOption
from acclimate.cli.reading_options import TEXTS, Reading, reads
from acclimate.cli.use import SplitOption
from acclimate.inert import inert, one_line
from acclimate.modeling.embedding_form import Pooling
from acclimate.training.precision import Precision

if TYPE_CHECKING:
    from acclimate.training.progress import Reporter

MOST_TEXTS = 10**6
SHOWN = 120  # characters of a document

Model = Annotated[
    str,
    typer.Argument(
        help="Folder of a model (a study's best/, one of sentence-transformers), a short name such as minilm, or a hub id.",
        show_default=False,
    ),
]
PoolingOption = Annotated[
    Pooling | None,
    typer.Option(
        "--pooling",
        help="How states become a vector, of a model that does not say it. Default: mean; decoders: last",
        show_default=False,
    ),
]
DimensionsOption = Annotated[
    int | None, typer.Option("--dimensions", min=1, max=10**6, help="The first so many of each vector. Default: all.", show_default=False)
]
PrecisionOption = Annotated[Precision, typer.Option("--precision", help="bf16 is faster where the device has units for it, and coarser.")]


@reads(TEXTS)
def encode(
    model: Model,
    file: Annotated[str, typer.Argument(help="Texts: a file of any format that studies read, a folder or a glob.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="File to write, .npy or .parquet.", show_default=False)],
    reading: Reading,
    side: Annotated[
        Literal["query", "document"] | None,
        typer.Option("--side", help="Put the model's prompt for queries or documents before each text. Default: none.", show_default=False),
    ] = None,
    dimensions: DimensionsOption = None,
    pooling: PoolingOption = None,
    split: SplitOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop before encoding where a row has no text, instead of marking it.")] = False,
    batch: Annotated[
        int, typer.Option("--batch", min=1, max=MOST_TEXTS, help="Texts that are sorted by length, encoded and written at a time.")
    ] = 4096,
    micro_tokens: MicroOption = None,
    precision: PrecisionOption = "float32",
    threads: ThreadsOption = None,
) -> None:
    """Write the vectors of texts: one for every row (of txt, every line), in order.

    Memory does not grow with the file. A run that was stopped or killed goes on where it was by the same command, with the same bytes; the
    file appears under its name when it is complete. A row without text gets NaN (.npy), or none and a `problem` (.parquet).
    """
    from acclimate.data.corpus import CorpusSettings
    from acclimate.errors import SettingsError
    from acclimate.evaluation.encode_file import encode_file
    from acclimate.evaluation.encoder import MICRO_TOKENS, encoding_of

    if strict and reading.get("skip_bad"):
        raise SettingsError("--strict stops at rows without text, --skip-bad leaves them out: say one of them")
    set_threads(threads)
    encoding = encoding_of(model, pooling, dimensions, micro_tokens or MICRO_TOKENS, precision)
    encode_file(encoding, CorpusSettings(path=file, **reading), out, _reporter(encode), side, split, strict, batch)


@reads(TEXTS)
def search(
    model: Model,
    file: Annotated[
        str,
        typer.Argument(metavar="DOCUMENTS", help="A file of any format that studies read, a folder or a glob.", show_default=False),
    ],
    query: Annotated[str, typer.Argument(help="What is looked for, in quotes.", show_default=False)],
    reading: Reading,
    most: Annotated[int, typer.Option("-k", "--most", min=1, max=MOST_TEXTS, help="Documents to show.")] = 10,
    dimensions: DimensionsOption = None,
    pooling: PoolingOption = None,
    split: SplitOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone.")] = False,
    micro_tokens: MicroOption = None,
    precision: PrecisionOption = "float32",
    threads: ThreadsOption = None,
) -> None:
    """Show the documents that are nearest to a query, by the cosine of their vectors, with their scores. A look: nothing is kept.

    A folder of bm25 or tfidf ranks them by the words that they share with the query.
    """
    from acclimate.data.corpus import CorpusSettings
    from acclimate.errors import SettingsError
    from acclimate.evaluation.encoder import MICRO_TOKENS, encoding_of
    from acclimate.evaluation.search import search as nearest
    from acclimate.evaluation.word_ranking import WordRanking

    set_threads(threads)
    ranking = WordRanking.of(model)
    for name, said in (("pooling", pooling), ("dimensions", dimensions), ("precision", None if precision == "float32" else precision)):
        if ranking is not None and said is not None:
            raise SettingsError(f"--{name} {said}: {model} ranks documents by their words, and has no vectors; leave it out")
    asked = ranking or encoding_of(model, pooling, dimensions, micro_tokens or MICRO_TOKENS, precision)
    hits = nearest(asked, CorpusSettings(path=file, **reading), query, most, _reporter(search), split)
    if as_json:
        show.plain([hit.as_json() for hit in hits])
    else:
        for hit in hits:
            show.plain(f"{hit.rank:>3}  {hit.score:.4f}  {_near(hit.file)}:{hit.line}  {_shown(hit.text)}")


def _near(path: Path) -> str:
    return inert(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))


def _shown(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}…"


def _reporter(verb: Callable[..., None]) -> "Reporter":
    """Says lines in the words of the verb's own options."""
    from acclimate.training.progress import Lines

    options = options_of(verb)
    return Lines(lambda line: show.say(in_options(line, options)))


def set_threads(threads: int | None) -> None:
    """Of torch, where it is said."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
