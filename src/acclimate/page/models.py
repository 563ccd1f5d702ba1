"""The models of a study that is done, and what they say of a text: labels, spans or numbers as they answer, or what lies near it."""

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.data.corpus import CorpusSettings
from acclimate.errors import AcclimateError, DataError, SettingsError
from acclimate.modeling.base_files import CONFIG
from acclimate.page.begun import begun_with, status_of, store_of
from acclimate.page.home import Home
from acclimate.page.studies import StudyFile
from acclimate.report.pages.card import HANDED_OVER
from acclimate.report.results.finished import Results
from acclimate.serving.asked import Way, checked
from acclimate.study.language.paths import data_paths
from acclimate.study.store.artifacts import Store
from acclimate.training.progress import Messages

if TYPE_CHECKING:
    from acclimate.evaluation.search import Hit
    from acclimate.serving.service import Predicting

MOST_CHARACTERS = 20_000  # of a text that is tried
MOST_MODELS = 6  # that are asked at a time
LOADED = 4  # models that stay in memory
NEAREST = 10


@dataclass(frozen=True)
class Model:
    """A model that can be tried."""

    name: str
    title: str
    folder: Path


@dataclass(frozen=True)
class Piece:
    """A part of a text, and what it was found to be."""

    text: str
    type: str = ""
    score: float | None = None


@dataclass(frozen=True)
class Answer:
    """What one model says."""

    model: Model
    label: str = ""
    probabilities: tuple[tuple[str, float], ...] = ()
    """The likeliest first."""
    pieces: tuple[Piece, ...] = ()
    hits: "tuple[Hit, ...]" = ()
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Tried:
    """What is asked."""

    models: tuple[str, ...]
    text: str
    text_b: str = ""
    documents: str = ""


def offered(home: Home, opened: StudyFile) -> tuple[Model, ...]:
    """What was handed over, and of each recipe the first seed's at the largest budget, where the store has it still and can be read.

    Raises:
        SettingsError: the study has no results.
    """
    out = home.within(opened.out())
    results = Results.load(out)
    best = results.study.get("best") or {}
    told = {"best": best.get("recipe"), "best_transformer": (best.get("transformer") or {}).get("recipe")}
    found = [
        Model(name, f"{name.replace('_', ' ')}: {told[name]}", out / name) for name in HANDED_OVER if (out / name / CONFIG).is_file()
    ]  # fmt: skip
    store = store_of(home, opened, begun_with(status_of(home, opened)))
    if store is not None:
        found += _of_recipes(results, Store(store))
    for model in found:
        home.check_tree(model.folder)
    return tuple(found)


def _of_recipes(results: Results, store: Store) -> Iterator[Model]:
    for recipe in results.recipes:
        runs = [run for run in results.runs_of(recipe, results.budgets[-1]) if run.done and run.key]
        folders = [folder for run in runs if ((folder := store.path(run.key) / "model") / CONFIG).is_file()]
        if folders:
            yield Model(f"recipe {recipe}", recipe, folders[0])


def searched(opened: StudyFile) -> tuple[str, ...]:
    """Files of the study in which texts could be looked for, as the page names them."""
    return tuple(dict.fromkeys(data_paths(opened.valid)))


@dataclass
class Trying:
    """Models that answer; those that were asked last stay in memory. One thread asks it."""

    home: Home
    loaded: "OrderedDict[tuple[Path, int], Predicting]" = field(default_factory=OrderedDict)

    def answers(self, opened: StudyFile, models: Sequence[Model], tried: Tried) -> list[Answer]:
        """What these models say, side by side; of one that cannot, why.

        Raises:
            SettingsError: there is no text, it is too long, or too many models are asked.
        """
        chosen = [model for model in models if model.name in tried.models]
        if not chosen or len(chosen) > MOST_MODELS:
            raise SettingsError(f"tick a model, at most {MOST_MODELS}")
        texts = [_checked(text, name) for name, text in (("text", tried.text), ("text_b", tried.text_b)) if text.strip()]
        if not texts:
            raise SettingsError("write a text")
        return [*self._each(opened, chosen, tuple(texts), tried.documents)]

    def _each(self, opened: StudyFile, chosen: Sequence[Model], texts: tuple[str, ...], documents: str) -> Iterator[Answer]:
        from acclimate.serving.service import answers_itself  # with torch, which the rest of the page does without

        for model in chosen:
            try:
                if answers_itself(str(model.folder)):
                    yield self._labels(model, texts)
                else:
                    yield self._near(opened, model, texts[0], documents)
            except AcclimateError as error:
                yield Answer(model, problem=str(error))

    def _labels(self, model: Model, texts: tuple[str, ...]) -> Answer:
        service = self._service(model.folder)
        if len(texts) not in service.shape.columns:
            return Answer(model, problem="this model answers pairs: write two texts" if len(texts) == 1 else "this model answers one text")
        answered = service.answer(Way(columns=len(texts)), [texts])
        said: dict[str, Any] = json.loads(answered.answers[0])
        notes = ("longer than the model reads: a part was not read",) if answered.cut[0] else ()
        match said:
            case {"entities": entities}:
                return Answer(model, pieces=tuple(_pieces(texts[0], entities)), notes=notes)
            case {"answer": answer}:
                return Answer(model, label=answer, notes=notes)
            case {"value": value}:
                return Answer(model, label=f"{value:g}", notes=notes)
            case {"values": values}:
                return Answer(model, label=", ".join(f"{name} {value:g}" for name, value in values.items()), notes=notes)
        label = said["label"] if "label" in said else ", ".join(said["labels"]) or "none"
        likeliest = sorted(said["probabilities"].items(), key=lambda pair: -pair[1])
        return Answer(model, label=label, probabilities=tuple(likeliest), notes=notes)

    def _near(self, opened: StudyFile, model: Model, text: str, documents: str) -> Answer:
        from acclimate.evaluation.encoder import encoding_of
        from acclimate.evaluation.search import search
        from acclimate.evaluation.word_ranking import WordRanking

        if not documents:
            raise DataError("this model gives vectors: name a file whose texts are compared with yours")
        place = opened.root / documents
        self.home.check_files([self.home.shown(self.home.within(place))])
        notes: list[str] = []
        asked = WordRanking.of(str(model.folder)) or encoding_of(model.folder)
        found = search(asked, CorpusSettings(path=str(place)), text, NEAREST, Messages(notes.append))
        return Answer(model, hits=tuple(found), notes=tuple(note.replace(str(model.folder), model.title) for note in notes))

    def _service(self, folder: Path) -> "Predicting":
        from acclimate.serving.service import predicting

        key = (folder, (folder / CONFIG).stat().st_mtime_ns)
        if key not in self.loaded:
            self.loaded[key] = predicting(folder)
            while len(self.loaded) > LOADED:
                self.loaded.popitem(last=False)
        self.loaded.move_to_end(key)
        return self.loaded[key]


def _pieces(text: str, entities: Sequence[Mapping[str, Any]]) -> Iterator[Piece]:
    end = 0
    for entity in sorted(entities, key=lambda entity: int(entity["start"])):
        if int(entity["start"]) >= end:
            yield Piece(text[end : entity["start"]])
            yield Piece(text[entity["start"] : entity["end"]], str(entity["label"]), float(entity["score"]))
            end = int(entity["end"])
    yield Piece(text[end:])


def _checked(text: str, name: str) -> str:
    if len(text) > MOST_CHARACTERS:
        raise SettingsError(f"{name}: has {len(text):,} characters, and {MOST_CHARACTERS:,} are tried; `acclimate predict` takes files")
    return checked(text, name, 1)
