"""One contract for every stage of the table: whoever adds one need not write these tests, only say here what it needs to be tried on.

Its defaults are tried where `EXAMPLES` says nothing; its key is pinned in `KEYS`.
"""

import itertools
import json
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError
from tests.study.conftest import WORDS, sentence, tiny_model, write_jsonl
from tokenizers import Tokenizer, processors

from acclimate.errors import Interrupted
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.folder import ModelFolder, save_model
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import load_classifier
from acclimate.modeling.source import Source, resolve_base
from acclimate.modeling.trained_base import import_trained
from acclimate.settings import docstrings
from acclimate.stages import BASES, STAGES, Measure, Searching
from acclimate.stages.base import ABOUT_TASKS, ANSWERING, GENERAL_TEXT, Context, Role, Runtime
from acclimate.stages.planned import Classifier, Sizes, Work
from acclimate.stages.searchable import number_of
from acclimate.study.plan import graph
from acclimate.study.plan.readings import Readings
from acclimate.tasks.opened import Data, DataSettings
from acclimate.training.devices import Devices
from acclimate.training.interrupt import StopRequest
from acclimate.training.progress import Silent

EVERY = (*STAGES, *BASES, Measure)


@dataclass
class World:
    """A tiny BERT, some labelled sentences, and some without labels."""

    folder: Path
    source: Source
    data: Data
    parent: ModelFolder | None = None
    teacher: ModelFolder | None = None
    """The same model with a classifier for the labels of its task."""
    knows_words: bool = False
    """The model has a head that predicts masked words."""
    others: tuple["World", ...] = ()
    """The same with other tasks, for stages that do not answer its own: held-out text, tags of words, and a model of inference."""
    classifier: Classifier | None = None
    """Of that model."""
    breaks_words: bool = False
    """The vocabulary writes words of the domain in pieces."""

    @property
    def given(self):
        base = Sizes.of(self.source)
        # What a recipe starts from is something else by then.
        before = replace(base, pretrained=not self.knows_words)
        learned = replace(base, classifier=Classifier(tuple(WORDS), 1))
        return replace(base, pretrained=self.knows_words, classifier=self.classifier, beside={"base": before, "teacher": learned})

    def of(self, stage):
        if stage.role == "measures":
            return next(world for world in self.others if world.knows_words and world.data.general is not None)
        if stage.word() in BREAKS_WORDS:
            return next(world for world in self.others if world.breaks_words)
        if not stage.serves:
            return self
        fit = (world for world in (self, *self.others) if world.classifier or not stage.asks_trained)
        fit = (world for world in fit if world.knows_words or stage.word() not in ASK_WORDS)
        return next(world for world in fit if stage.answers(world.data.task.kind))


# What a stage is tried with, where its defaults do not fit a tiny world or it has settings without a default.
EXAMPLES = {
    "start": lambda stage, world: stage.of(world.source, random=False),
    "cut": lambda stage, world: stage.of(1, world.given, "tiny"),
    "prune": lambda stage, _: stage(size=30),
    "extend": lambda stage, _: stage(size=3, min_count=2, batch_tokens=32, snippet_tokens=8, snippets=4, lr=1e-3),
    "pretrain": lambda stage, _: stage(batch_tokens=128, head_warmup=0.5),
    "embed": lambda stage, _: stage(batch_size=16, dimensions=(4,)),
    "distill": lambda stage, _: stage(teacher="teacher", corpus={"task": 1, "domain": 0.5}),
    "distill_vectors": lambda stage, _: stage(teacher="teacher", corpus={"task": 1, "domain": 0.5}),
    "zero_shot": lambda stage, _: stage(names={"sport": "match"}, template="the {}"),
    "as_is": lambda stage, _: stage(names={"sport": "Entailment", "trade": "neutral", "music": "contradiction"}),
    "prompt": lambda stage, _: stage(template="{text} it was {mask}", names={"sport": "match", "trade": "bank", "music": ["song", "tune"]}),
    "bilstm": lambda stage, _: stage(embedding=8, hidden=8),
}

BREAKS_WORDS = {"extend"}  # stages that need words in pieces
ASK_WORDS = {"prompt"}  # stages that need a model with a head for masked words

# Of the stage as it is tried, on data and with versions that never change: whoever moves one moves what everybody has computed.
KEYS = {
    "prune": "5c891f34481fa0ad",
    "extend": "89a38568ef041e39",
    "merge": "bd0d801fd74033d4",
    "pretrain": "2bd20500c16ed2e0",
    "embed": "1de5659102be4be8",
    "distill": "bc494ce298fcecf2",
    "distill_vectors": "d4f5205fb5a221c7",
    "finetune": "5193ce8dad4ca24a",
    "score": "c691c99166ef669d",
    "zero_shot": "99f67b564a949629",
    "prompt": "3fe5c1b6b9ce978a",
    "as_is": "51b8ff67baedbfd0",
    "vectors": "6a1902102bd32a60",
    "majority": "a70e10a88c6d5e03",
    "tfidf": "9c1e58d0d76445f7",
    "bilstm": "3a6c1a21c58cc1f8",
    "linear_tagger": "4779c0a05fdaa7e1",
    "doc2vec": "36fa94c807693ed4",
    "static": "92f43efbf4967a5e",
    "bm25": "78d0a0a734bac90f",
    "start": "d69e6c6d814ac861",
    "cut": "b4eecfdfd92a6df3",
    "measure": "02da6883278f20cf",
}


def _number(stage):
    """The first of its settings that can be searched; None where none can."""
    return next((name for name in stage.model_fields if stage.unsearchable() is None and number_of(stage, (name,)) is not None), None)


def from_nothing(tried):
    """Whether it is given no model."""
    return tried.role == "start" or (tried.role == "baseline" and tried.made_from() is None)


def example(stage, world):
    """The stage as it is tried."""
    try:
        return EXAMPLES.get(stage.word(), lambda stage, _: stage())(stage, world)
    except ValidationError as error:
        pytest.fail(f"{stage.word()} has settings without a default: say in EXAMPLES what it is tried with ({error})")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stages")
    tiny_model(folder / "model")
    rng, topics = random.Random(0), list(WORDS)
    for split, count in (("train", 48), ("dev", 12), ("test", 18)):
        texts = dict.fromkeys(f"{split}{number} {sentence(topics[number % 3], rng)}" for number in range(count))
        write_jsonl(folder / f"{split}.jsonl", [{"text": text, "label": topics[number % 3]} for number, text in enumerate(texts)])
    write_jsonl(folder / "domain.jsonl", [{"text": f"{sentence(topics[number % 3], rng)}"} for number in range(60)])
    task = {split: str(folder / f"{split}.jsonl") for split in ("train", "dev", "test")}
    settings = DataSettings.model_validate({"task": task, "domain": str(folder / "domain.jsonl")})
    data = Data.open(settings, folder, folder / "rejects", general="acclimate-general")
    made = World(folder, resolve_base(str(folder / "model"), folder), data)
    (start,) = (stage for stage in BASES if stage.role == "start")
    for random_weights, name in ((False, "start"), (True, "random")):
        start.of(made.source, random=random_weights).run(None, context(made, folder / name))
    held_out = {"kind": "perplexity", "on": {"held": {"path": str(folder / "test.jsonl"), "text": "text"}}}
    settings = DataSettings.model_validate({"task": held_out, "domain": str(folder / "domain.jsonl")})
    knows = ModelFolder(folder / "random" / "output" / "model")
    start_of = ModelFolder(folder / "start" / "output" / "model")
    teacher = save_model(folder / "teacher" / "model", start_of, load_classifier(start_of, sorted(WORDS), HeadSettings(), 1, None))
    made = replace(made, teacher=teacher)
    judging = replace(made, data=Data.open(settings, folder, folder / "rejects"), parent=knows, knows_words=True)
    return replace(
        made,
        parent=start_of,
        others=(
            judging,
            replace(made, parent=knows, knows_words=True),
            tagging(made, folder, rng),
            inferring(made, folder),
            breaking(made, folder),
            retrieving(made, folder, rng),
        ),
    )


def tagging(made, folder, rng):
    """The world with another task: which words of its sentences are names, and of what."""
    task = {"kind": "tag"}
    for split, count in (("train", 48), ("dev", 12), ("test", 18)):
        rows = [[("seen", "O"), ("in", "O"), (f"{rng.choice('ab')}{split}{number}", "B-place"), (rng.choice("xyz"), "I-place")]
                for number in range(count)]  # fmt: skip
        rows = [{"tokens": [word for word, _ in row], "tags": [tag for _, tag in row]} for row in rows]
        write_jsonl(folder / f"tags-{split}.jsonl", rows)
        task[split] = str(folder / f"tags-{split}.jsonl")
    settings = DataSettings.model_validate({"task": task, "domain": str(folder / "domain.jsonl")})
    return replace(made, data=Data.open(settings, folder, folder / "rejects"))


def retrieving(made, folder, rng):
    """The world with another task: which sentence answers a word."""
    for split, count in (("train", 24), ("dev", 8), ("test", 10)):
        rows = [{"query": f"{split}{number}", "positive": f"{split}{number} {sentence('trade', rng)}"} for number in range(count)]
        write_jsonl(folder / f"asked-{split}.jsonl", rows)
    task = {"kind": "retrieve", **{split: str(folder / f"asked-{split}.jsonl") for split in ("train", "dev", "test")}}
    settings = DataSettings.model_validate({"task": task, "domain": str(folder / "domain.jsonl")})
    return replace(made, data=Data.open(settings, folder, folder / "rejects"))


def breaking(made, folder):
    """The world with plurals in the domain, which its vocabulary writes in two pieces."""
    tiny_model(folder / "pieces")
    tokenizer = json.loads((folder / "pieces" / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["##s"] = tokenizer["model"]["vocab"].pop("record")
    (folder / "pieces" / "tokenizer.json").write_text(json.dumps(tokenizer))
    plurals = [f"{word}s" for topic in WORDS.values() for word in topic if word != "record"]
    write_jsonl(folder / "plurals.jsonl", [{"text": f"the {plurals[number % 7]} of the {plurals[number % 5]}"} for number in range(60)])
    data = Data.open(
        DataSettings.model_validate({"task": str(folder / "train.jsonl"), "domain": str(folder / "plurals.jsonl")}),
        folder,
        folder / "rejects",
    )
    source = resolve_base(str(folder / "pieces"), folder)
    (start,) = (stage for stage in BASES if stage.role == "start")
    world = replace(made, source=source, data=data, breaks_words=True)
    start.of(source, random=False).run(None, context(world, folder / "start of pieces"))
    return replace(world, parent=ModelFolder(folder / "start of pieces" / "output" / "model"))


def inferring(made, folder):
    """The world with a model that has learned whether one text follows from another."""
    nli = resolve_base(str(inference_model(folder / "nli")), folder)
    learned = import_trained(nli, folder / "inference" / "model")
    return replace(made, source=nli, parent=learned, classifier=Classifier(learned.labels, None))


def inference_model(folder):
    """A model of inference in the words of the world."""
    from transformers import BertConfig, BertForSequenceClassification

    tiny_model(folder)
    names = ("entailment", "neutral", "contradiction")
    labels = {"id2label": dict(enumerate(names)), "label2id": {name: number for number, name in enumerate(names)}}
    BertForSequenceClassification(BertConfig.from_pretrained(folder, **labels)).save_pretrained(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    pair = "[CLS] $A [SEP] $B:1 [SEP]:1"
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", pair, special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


class Watching(Silent):
    """Asks for a stop at a step, counted over all parts of a stage."""

    def __init__(self, stop=None, at=0):
        self.stop, self.at, self.steps = stop, at, itertools.count(1)

    def step(self, *_):
        if next(self.steps) == self.at and self.stop is not None:
            self.stop.ask()


def context(world, folder, stop_at=0):
    work, output = folder / "work", folder / "output"
    for each in (work, output, world.folder / "cache"):
        each.mkdir(parents=True, exist_ok=True)
    stop = StopRequest()
    machine = Runtime(Devices("float32"), Watching(stop, stop_at), stop, checkpoint_seconds=3600.0)
    beside = {"base": world.parent, "teacher": world.teacher} if world.parent is not None else {}
    return Context(world.data, "all", 3, "tried", world.folder / "cache", work, output, machine, beside=beside)


def files(folder):
    """What a stage made, by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def run(world):
    """A function that runs a sliver of a stage in a folder, from the start or on from where it was stopped."""

    def run(stage, name, stop_at=0):
        its = world.of(stage)
        here = context(its, world.folder / stage.word() / name, stop_at)
        tried = example(stage, its).sliver()
        outcome = tried.run(None if from_nothing(tried) else its.parent, here)
        return outcome, here.output

    return run


@pytest.fixture(scope="module")
def straight(run):
    """A function that gives what a sliver of a stage comes to, run once."""
    known = {}

    def once(stage):
        if stage not in known:
            known[stage] = run(stage, "straight")
        return known[stage]

    return once


every_stage = pytest.mark.parametrize("stage", EVERY, ids=lambda stage: stage.word())


@every_stage
def test_every_setting_is_documented(stage):
    hidden = {"stage"} if stage in STAGES else {"stage", "name", "folder"}
    assert [name for name in stage.model_fields if name not in hidden and name not in docstrings(stage)] == []
    assert stage.__doc__


@every_stage
def test_what_it_is_to_a_recipe_fits_what_it_reads(stage, world):
    world = world.of(stage)
    tried = example(stage, world)
    assert stage.role in get_args(Role)
    assert stage.answers(world.data.task.kind) == bool(stage.serves) == (stage.role in ANSWERING)
    assert stage.takes(world.data.task.kind) == (stage.role in ABOUT_TASKS) == bool({"labels", "exam"} & set(tried.reads()))
    assert "labels" in tried.reads() or stage.role not in ("embeds", "learns", "baseline")
    assert set(tried.reads()) <= {"labels", "exam", "task text", "dev text", "test text", GENERAL_TEXT, *world.data.corpora}
    assert tried.beside() == () or all(tried.beside())
    assert not (tried.seeds_apart() is False and stage.serves), "what learns from labels learns from those of every seed"


@every_stage
def test_the_plan_is_told_its_title_its_sizes_and_its_work(stage, world):
    world = world.of(stage)
    tried = example(stage, world)
    assert tried.title()
    assert "\n" not in tried.title()
    given = Sizes() if from_nothing(tried) else world.given
    after = tried.check(given, world.data.task)
    assert isinstance(after, Sizes)
    assert after.bytes <= given.bytes or after.entries > given.entries
    node = graph.Node("key", tried, "parent", 0, "all", "", ())
    work = tried.work(given, Readings(world.data).read_by(node, given.source, FastPaths()))
    assert isinstance(work, Work)
    assert min(work.disk_bytes, work.tokens, work.operations, work.seconds, work.cache_bytes) >= 0
    assert work.operations + work.seconds > 0
    trains = stage.role not in ("answers", "measures")
    assert bool(work.tokens) == (bool(work.operations) and trains), "tokens are those that are trained on"


@every_stage
def test_its_key_stays_where_it_is(stage, world, monkeypatch):
    monkeypatch.setattr(graph, "version", lambda _: "1")
    tried = example(stage, world).model_copy(update={"digest": "0" * 64} if stage.role == "start" else {})
    key = graph.key_of(tried, 0, tried.reads(), None, {})[:16]
    assert stage.word() in KEYS, f"pin the key of {stage.word()} in KEYS: {key!r}"
    assert key == KEYS[stage.word()]


@every_stage
def test_a_sliver_runs_and_tells_what_it_came_to(stage, straight):
    outcome, output = straight(stage)
    assert json.loads(json.dumps([outcome.metrics, outcome.cost.to_json(), outcome.notes, outcome.log], allow_nan=False))
    assert outcome.cost.seconds > 0
    assert outcome.cost.parameters > 0
    assert outcome.cost.disk_bytes == sum(len(content) for name, content in files(output).items() if name.startswith("model/"))
    assert (output / "predictions.parquet").is_file() == bool(stage.serves)
    assert any(name.startswith("test_") for name in outcome.metrics) == bool(stage.serves)


@pytest.mark.measured(0)
@pytest.mark.parametrize("stop_at", [1, 2, 3])
@every_stage
def test_stopped_at_any_step_and_continued_it_ends_bitwise_equal(stage, run, straight, stop_at):
    whole, expected = straight(stage)
    name = f"stopped at {stop_at}"
    try:
        outcome, output = run(stage, name, stop_at)  # it has fewer steps, or none
    except Interrupted:
        assert not files(expected.parents[1] / name / "output")
        outcome, output = run(stage, name)
    assert files(output) == files(expected)
    assert outcome.metrics == whole.metrics
    assert outcome.notes == whole.notes
    assert outcome.log == whole.log


@pytest.mark.parametrize("stage", [stage for stage in STAGES if _number(stage) is not None], ids=lambda stage: stage.word())
def test_a_number_of_what_learns_is_searched_without_a_look_at_test(stage, world):
    its, name = world.of(stage), _number(stage)
    tried = type(example(stage, its)).model_validate(example(stage, its).sliver().model_dump() | {name: {"search": {"of": [1, 2]}}})
    search = Searching(of=tried)
    here = context(its, world.folder / stage.word() / "searched")
    outcome = search.run(None if from_nothing(tried) else its.parent, here)
    assert outcome.metrics["found"][name] in (1, 2)
    assert [trial["values"] for trial in outcome.metrics["trials"]] == [{name: 1}, {name: 2}]
    assert not files(here.output)
    given = Sizes() if from_nothing(tried) else its.given
    reads = Readings(its.data).read_by(graph.Node("key", search, "parent", 0, "all", "", ()), given.source, FastPaths())
    assert search.work(given, reads).tokens == 2 * tried.work(given, reads).tokens
