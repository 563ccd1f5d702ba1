"""What finds documents, judged on queries: an encoder, vectors of words, or a ranking by words, on a BEIR folder or on rows."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from acclimate.data.readers.one_split import chosen_split, open_one
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Source
from acclimate.errors import DataError, SettingsError
from acclimate.evaluation.asked_rows import notes_of
from acclimate.evaluation.by_vectors import rankings
from acclimate.evaluation.encoder import encoding_of
from acclimate.evaluation.trained_folder import model_config
from acclimate.evaluation.word_ranking import WordRanking
from acclimate.modeling.base_files import FORM, KIND, TEMPLATE, VECTORS, ZERO_SHOT
from acclimate.modeling.embedding_form import EMBEDDING, Side
from acclimate.modeling.links import PROBLEM_TYPE
from acclimate.tasks.beir import Beir, is_beir
from acclimate.tasks.collection import Collection
from acclimate.tasks.kind import Form
from acclimate.tasks.rankings import asked_for
from acclimate.tasks.retrieve import Retrieve
from acclimate.tasks.rows import read_rows
from acclimate.tasks.split import Split
from acclimate.tasks.task import split_of

Say = Callable[[str], None]
ANSWERS = (PROBLEM_TYPE, KIND, FORM, TEMPLATE, VECTORS, ZERO_SHOT)  # in the config.json of a model that answers something by itself


def ranks(model: Path, file: str) -> bool:
    """Whether a model is asked to find documents: it says so, gives vectors that nothing answers on, or is given a BEIR folder."""
    config = model_config(model)
    if config.get(KIND) == Retrieve.model_fields["kind"].default:
        return True
    learned = any(str(name).endswith("Classification") for name in config.get("architectures") or ())
    if EMBEDDING in config and not learned and not any(config.get(name) for name in ANSWERS):
        return True
    gives_vectors = EMBEDDING in config or VECTORS in config or not learned
    return gives_vectors and is_beir(Path.cwd() / Path(file).expanduser())


def evaluate_ranking(model: Path, file: str, reading: Mapping[str, Any], say: Say, split: str | None) -> dict[str, Any]:
    """The scores of a model on queries and the documents that are searched: a BEIR folder, of which `split` is judged, or rows.

    `reading` may name columns (`query`, `positive`, `negative`) and a file of more `documents`, of which no row says anything.

    Raises:
        DataError: rows cannot be used, or it is not clear which split is meant.
        ModelError: the model cannot be read, or its vectors are not finite.
        SettingsError: `reading` says what retrieval does not know.
    """
    judged, source, notes, rejected = _opened(file, reading, split)
    collection = judged.collection
    assert isinstance(collection, Collection)
    for note in notes:
        say(note)
    left_out = f"; {rejected:,} rows that could not be used are left out" if rejected else ""
    say(f"evaluated on {len(judged):,} queries of {source.files[0]}{left_out}")
    form, found = _found(model, judged, collection.texts, say)
    answers = Retrieve.decoded(form, found, judged)
    return {"queries": len(judged), "documents": len(collection), **Retrieve.scores(judged, answers)}


def _opened(file: str, reading: Mapping[str, Any], split: str | None) -> tuple[Split, Source, tuple[str, ...], int]:
    """Queries with their documents, where they were read, what is to be known of them, and how many rows were left out."""
    folder = Path.cwd() / Path(file).expanduser()
    whole = is_beir(folder)
    kind = _read_as({"path" if whole else "train": file, **reading})
    source: Source
    if whole:
        kind.refuse_columns()
        splits = Beir(folder).judged()
        source = splits[chosen_split(splits, file, split)]
    else:
        source = open_one(file, Path.cwd(), kind.reading, split)
    columns, _ = kind.columns(source)
    with Problems(kind.skip_bad) as problems:
        rows = {"train": read_rows(source, kind.read, columns, kind.texts(), None, problems)}
        rows, notes = kind.gathered(rows, {"train": source}, Path.cwd(), problems)
    if not len(rows["train"]):
        raise DataError(f"{source.files[0]}: there is no query to evaluate on")
    return split_of(rows["train"], kind, ()), source, (*notes_of(file, source, {} if whole else columns), *notes), problems.rejected


def _read_as(said: Mapping[str, Any]) -> Retrieve:
    try:
        return Retrieve.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        setting = ".".join(map(str, first["loc"]))
        why = (
            "says nothing of documents that are found, by which this model is judged"
            if first["type"] == "extra_forbidden"
            else first["msg"]
        )
        raise SettingsError(f"`{setting}:` {why}") from error


def _found(model: Path, judged: Split, documents: Sequence[str], say: Say) -> tuple[Form, Any]:
    if (ranking := WordRanking.of(model)) is not None:
        ranked = ranking.over(documents)
        if lost := ranked.without_words(judged.inputs[0]):
            say(f"{lost:,} queries share no word with any document: nothing is found for them")
        return "ranking", ranked.ranked(judged.inputs[0], asked_for(judged))
    encoding = encoding_of(model)
    for note in encoding.told():
        say(note)
    encoder = encoding.load()

    def encode(texts: Sequence[str], side: Side | None) -> Any:
        return encoder.encode(texts, side)

    (found,) = rankings((judged,), documents, encode)
    if told := encoder.unread.told():
        say(told)
    return "embedding", found
