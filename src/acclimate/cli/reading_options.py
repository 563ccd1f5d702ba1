"""The options about how files are read: the same ones for every verb that reads files, written once."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import typer

from acclimate.data.readers.reading import AskedFormat, DocumentMode, Format, LabelledFormat, Offsets, Quoting

Reading = dict[str, Any]
"""What was set of the options below, as settings of a corpus or a task."""


def _option(flags: str, says: str) -> Any:
    return typer.Option(flags, help=says, rich_help_panel="How files are read", show_default=False)


_TEXT = {"text": Annotated[str | None, _option("--text", "Column with the text. Default: detected.")]}
_LABEL = {"label": Annotated[str | None, _option("--label", "Column with the label. Default: detected.")]}
_TEXT_B = {"text_b": Annotated[str | None, _option("--text-b", "Column with the second text, of pairs. Default: detected.")]}
_SCORE = {"score": Annotated[str | None, _option("--score", "Column with the score of pairs (similarity). Default: detected.")]}
_FORMAT = "Format of the files. Default: by their names."
_DOCUMENTS = "A text in txt files: a line, a block between blank lines, or a file."
_TABLES = {
    "delimiter": Annotated[str | None, _option("--delimiter", "Between fields of csv and tsv: a character, or tab. Default: detected.")],
    "quoting": Annotated[Quoting | None, _option("--quoting", "Whether fields of csv and tsv may stand in quotes. Default: detected.")],
    "encoding": Annotated[str | None, _option("--encoding", "Encoding of text files, e.g. cp1252. Default: UTF-8.")],
    "header": Annotated[bool | None, _option("--header/--no-header", "Whether the first row of csv and tsv names the columns.")],
    "longest": Annotated[int | None, _option("--longest", "The longest line or document that is read, in bytes. Default: 16,777,216.")],
    "skip_bad": Annotated[bool | None, _option("--skip-bad", "Leave out and count rows that cannot be used, instead of stopping.")],
}
TEXTS = {
    **_TEXT,
    "format": Annotated[Format | None, _option("--format", _FORMAT)],
    "documents": Annotated[DocumentMode | None, _option("--documents", _DOCUMENTS)],
    **_TABLES,
}
"""Of verbs that read texts without labels."""
ASKED = {**_TEXT, **_TEXT_B, **TEXTS, "format": Annotated[AskedFormat | None, _option("--format", _FORMAT)]}
"""Of those that put texts to a model, which may be pairs of them, or sentences in columns."""
_SEPARATOR = "Between several labels in one cell: any text, tab, space, list, or none. Default: detected."
_SCHEMES = "Of tags: IOB1, IOB2, BIOES, BILOU, BMES, IO, or plain where there is no O. Default: detected."
_TAGS = {
    "tokens": Annotated[str | None, _option("--tokens", "Column with the words of a sentence (CoNLL: its number). Default: detected.")],
    "tags": Annotated[str | None, _option("--tags", "Column with a tag for every word (CoNLL: its number). Default: detected.")],
    "spans": Annotated[str | None, _option("--spans", "Column with the marked spans of a text. Default: detected.")],
    "offsets": Annotated[Offsets | None, _option("--offsets", "What the start and end of spans count. Default: characters.")],
    "scheme": Annotated[str | None, _option("--scheme", _SCHEMES)],
    "repair": Annotated[bool | None, _option("--repair", "Read tags that their scheme does not allow as they seem meant, and count them.")],
}
LABELS = {
    **_TEXT,
    **_TEXT_B,
    **_LABEL,
    **_SCORE,
    "separator": Annotated[str | None, _option("--separator", _SEPARATOR)],
    **_TAGS,
    "format": Annotated[LabelledFormat | None, _option("--format", _FORMAT)],
    **_TABLES,
}
"""Of verbs that read labelled texts."""
RANKED = {
    "query": Annotated[str | None, _option("--query", "Column with the query, where documents are to be found. Default: detected.")],
    "positive": Annotated[str | None, _option("--positive", "Column with the relevant document, or a list. Default: detected.")],
    "negative": Annotated[str | None, _option("--negative", "Column with documents that are not relevant. Default: detected.")],
    "documents": Annotated[str | None, _option("--documents", "A file of more documents that are searched.")],
}
"""Of those that judge what finds documents."""
WRITTEN = {
    "prompt": Annotated[str | None, _option("--prompt", "Column with the prompt, where answers are written. Default: detected.")],
    "completion": Annotated[str | None, _option("--completion", "Column with the right answer. Default: detected.")],
    "messages": Annotated[str | None, _option("--messages", "Column with conversations, which end with it. Default: detected.")],
}
"""Of those that judge what writes answers."""
TASK = {
    "kind": Annotated[
        str | None,
        _option("--kind", "The kind of task: classify (one label a text), multilabel, pair, similarity or tag. Default: classify."),
    ],
    **LABELS,
    "group": Annotated[
        str | None, _option("--group", "What belongs together: a column, or '{text_without: REGEX}' where texts differ in marks alone.")
    ],
    "odd_labels": Annotated[
        Literal["error", "keep"] | None, _option("--odd-labels", "error, or keep labels that look like noise as classes.")
    ],
}
"""Of verbs that learn from labelled texts."""


def reads(options: Mapping[str, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb these options; those that were set reach it together, as settings by name, in its parameter `reading`."""

    def with_options(verb: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(verb)
        def wrapped(**given: Any) -> None:
            asked = {name: given.pop(name) for name in options}
            verb(reading={name: value for name, value in asked.items() if value is not None}, **given)

        own = inspect.signature(verb).parameters
        added = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind) for name, kind in options.items()]
        kept = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for name, parameter in own.items() if name != "reading"]
        wrapped.__signature__ = inspect.Signature([*kept, *added])  # type: ignore[attr-defined]
        return wrapped

    return with_options
