"""What holds for every kind of task: one that is added to KINDS is tested by an example of it below."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from acclimate.data.digests import text_hash
from acclimate.data.ragged import Ragged
from acclimate.errors import DataError, SettingsError
from acclimate.evaluation.predictions import read_answers, read_predictions, write_predictions
from acclimate.tasks import KINDS
from acclimate.tasks.blocks import Examples, Marked, Matrix, Points, Table
from acclimate.tasks.generate import Written
from acclimate.tasks.kind import Form, Head, Judged, TaskKind, split_scores
from acclimate.tasks.metrics.metric import Metric
from acclimate.tasks.split import column_bytes, taken
from acclimate.tasks.task import Task

COUNT = 240  # records of an example
DRAWS = 200  # of a bootstrap: its standard error is known to 5 %


class Example(NamedTuple):
    """A small task of a kind."""

    record: Callable[[int, np.random.Generator], Mapping[str, Any]]
    """A good record, different for every number."""
    bad: tuple[Mapping[str, Any], ...]
    """Records that must be refused."""
    outputs: Callable[[Any, np.random.Generator], Any]
    """What a model might give for a split: right more often than not."""
    digest: str
    """Of the task: it is part of keys, and must never move."""
    form: Form = "sequence"
    """Of the model that gives `outputs`."""
    shares: tuple[float, float, float] = (0.7, 0.1, 0.2)
    """Of records that become train, dev and test where nothing is said."""
    reading: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda more: {"path": ".", **more}
    """The settings of a task in the folder of its files, with some more."""


def one_label(number: int, rng: np.random.Generator) -> Mapping[str, Any]:
    return {"text": f"words {number}", "label": "abc"[int(rng.choice(3, p=[0.6, 0.3, 0.1]))]}


def several_labels(number: int, rng: np.random.Generator) -> Mapping[str, Any]:
    return {
        "text": f"words {number}",
        "labels": [name for name, share in zip("abcd", (0.5, 0.3, 0.2, 0.05), strict=True) if rng.random() < share],
    }


def relation(number: int, rng: np.random.Generator) -> Mapping[str, Any]:
    return {"premise": f"words {number // 3}", "hypothesis": f"other words {number}", "label": "abc"[int(rng.choice(3, p=[0.6, 0.3, 0.1]))]}


def scored(number: int, rng: np.random.Generator) -> Mapping[str, Any]:
    return {"sentence1": f"words {number // 3}", "sentence2": f"other words {number}", "score": round(5 * float(rng.random()), 1)}


def estimates(split: Any, rng: np.random.Generator) -> Any:
    return (0.8 * split.gold + rng.normal(size=len(split)))[:, None]


def softmax_outputs(split: Any, rng: np.random.Generator) -> Any:
    logits = rng.normal(size=(len(split), len(split.names))) + 1.5 * np.eye(len(split.names))[split.gold]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def sigmoid_outputs(split: Any, rng: np.random.Generator) -> Any:
    return 1 / (1 + np.exp(-(rng.normal(size=split.gold.shape) + 3.0 * split.gold - 1.5)))


def tagged_words(number: int, rng: np.random.Generator) -> Mapping[str, Any]:
    tags = []
    while len(tags) < 9:
        kind = str(rng.choice(["PER", "LOC", "ORG"], p=[0.6, 0.3, 0.1]))
        tags += [f"B-{kind}", *[f"I-{kind}"] * int(rng.integers(0, 3))] if rng.random() < 0.3 else ["O"]
    return {"tokens": [f"word{number}", *rng.choice(["one", "two", "three"], len(tags) - 1).tolist()], "tags": tags}


def tag_outputs(split: Any, rng: np.random.Generator) -> Any:
    logits = rng.normal(size=(len(split.gold.values), len(split.names))) + 2.5 * np.eye(len(split.names))[split.gold.values]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def asked(number: int, rng: np.random.Generator) -> Mapping[str, Any]:
    negatives = [f"document {number + 1000}"] if rng.random() < 0.3 else []
    return {"query": f"words {number}", "positives": [f"document {number // 2}", f"text {number}"], "negatives": negatives}


def rankings(split: Any, rng: np.random.Generator) -> Any:
    """The relevant documents on ranks of their own, and others."""
    count = len(split.collection)
    scores = rng.normal(size=(len(split), count))
    for row in range(len(split)):
        scores[row, split.gold[row][:, 0]] += 3 * split.gold[row][:, 1]
    found = np.argsort(-scores, axis=1)[:, :120]
    return found, np.take_along_axis(scores, found, axis=1)


def held_out(number: int, rng: np.random.Generator) -> Mapping[str, Any]:
    return {"text": f"document {number} " + " ".join(rng.choice(["one", "two", "three"], 5 + number % 7))}


def costs(split: Any, rng: np.random.Generator) -> Any:
    """Nats and tokens, found ones, bytes and unread ones of each document."""
    size = np.array([len(text) for text in split.inputs[0]])
    tokens = size // 4
    return np.stack(
        [tokens * rng.gamma(9.0, 0.3, len(size)), tokens, rng.binomial(tokens, 0.4), size, rng.binomial(3, 0.2, len(size))], axis=1
    )


def prompted(number: int, rng: np.random.Generator) -> Mapping[str, Any]:
    return {"prompt": f"words {number}", "completion": " ".join(rng.choice(["one", "two", "three", "four"], 1 + number % 5))}


def written(split: Any, rng: np.random.Generator) -> Any:
    """Some right answers, some of which a word is missing, and what the right ones cost."""
    texts = tuple(gold if rng.random() < 0.4 else " ".join(["five", *gold.split()[1:]]) for gold in split.gold)
    size = np.array([len(gold) for gold in split.gold])
    return Written(texts, np.stack([size * rng.gamma(9.0, 0.05, len(size)), 1 + size // 4, size, rng.binomial(1, 0.1, len(size))], axis=1))


def all_of_it(more: Mapping[str, Any]) -> Mapping[str, Any]:
    """Files are read as corpora are, each in its own way."""
    reading = {name: more[name] for name in ("skip_bad",) if name in more}
    rest = {name: value for name, value in more.items() if name not in ("skip_bad", "path")}
    return {"on": {"held": {"path": more.get("path", "all.jsonl"), "text": "text", **reading}}, **rest}


EXAMPLES = {
    "classify": Example(
        one_label,
        ({"text": "no label", "label": None}, {"text": "", "label": "a"}, {"text": "a number", "label": 1.5}, {"text": "no key"}),
        softmax_outputs,
        "d1f499e501cfd616aa61ef572785ec530151ab11dedbb8044ce052befd9089da",
    ),
    "multilabel": Example(
        several_labels,
        (
            {"text": "no label", "labels": None}, {"text": "", "labels": ["a"]}, {"text": "twice", "labels": ["a", "a"]},
            {"text": "missing", "labels": ["a", None]}, {"text": "no key"},
        ),
        sigmoid_outputs,
        "ebf70fc1feda6952410b7839f4c59c7b92545f3128db7c8ac678ae2fb4ce776e",
    ),
    "pair": Example(
        relation,
        (
            {"premise": "no label", "hypothesis": "words", "label": None}, {"premise": "", "hypothesis": "words", "label": "a"},
            {"premise": "words", "hypothesis": None, "label": "a"}, {"premise": "no agreement", "hypothesis": "words", "label": "-"},
            {"premise": "no key", "label": "a"},
        ),
        softmax_outputs,
        "23153910b9e94f87f7a60bf11cd0cb709790ef3e853889cd2c9b3d7f3afaae7b",
    ),
    "similarity": Example(
        scored,
        (
            {"sentence1": "no score", "sentence2": "words", "score": None}, {"sentence1": "", "sentence2": "words", "score": 1.0},
            {"sentence1": "words", "sentence2": "words", "score": "high"}, {"sentence1": "not finite", "sentence2": "b", "score": "nan"},
            {"sentence1": "no key", "score": 1.0},
        ),
        estimates,
        "e494f12b323963092d414c867aa84039fc9fa8b0774a2ac0305ab01cf43b10b5",
    ),
    "retrieve": Example(
        asked,
        (
            {"query": "nothing is relevant", "positives": []}, {"query": "", "positives": ["a"]}, {"query": "null", "positives": None},
            {"query": "both", "positives": ["a"], "negatives": ["a"]}, {"query": "an empty one", "positives": ["a", ""]},
            {"query": "no key"},
        ),
        rankings,
        "f1c7b3cf04d245cdd98b36d5dbc2c5b526fdd73835c7507147e15cf31b377e68", "embedding",
    ),
    "generate": Example(
        prompted,
        (
            {"prompt": "no answer", "completion": None}, {"prompt": "", "completion": "a"}, {"prompt": "words", "completion": " "},
            {"prompt": 1, "completion": "a"}, {"prompt": "no key"},
        ),
        written,
        "bb67d1224fa97b72a3774b54639dae2bf8a851663c4dc89f1fdbe746f50021b3", "text",
    ),
    "perplexity": Example(
        held_out, ({"text": ""}, {"text": None}, {"text": 1}), costs,
        "b12b9ca3f427fc8349ae683aa4c11e2539f4f97da6a470ed8dcd0b2a70c8bb51", "tokens", (0.0, 0.25, 0.75), all_of_it,
    ),
    "tag": Example(
        tagged_words,
        (
            {"tokens": ["no", "tags"], "tags": None}, {"tokens": [], "tags": []}, {"tokens": ["one"], "tags": ["O", "O"]},
            {"tokens": ["an", ""], "tags": ["O", "O"]}, {"tokens": ["no key"]},
        ),
        tag_outputs,
        "10e1a59a93bb949281fb4830931586eef68fbe1b5004691332221144bd28146c", "tokens",
    ),
}  # fmt: skip
TAGS = {
    "text-classification",
    "token-classification",
    "sentence-similarity",
    "feature-extraction",
    "text-generation",
    "text-ranking",
    "fill-mask",
}


def name_of(kind: type[TaskKind]) -> str:
    return str(kind.model_fields["kind"].default)


def texts_in(record: Mapping[str, Any]) -> set[str]:
    """What may be the text of a record: a field of it, or words with a space between them."""
    return {" ".join(map(str, value)) if isinstance(value, list) else str(value) for value in record.values()}


def write(path: Path, records: Any) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def records(example: Example, start: int = 0, count: int = COUNT) -> list[Mapping[str, Any]]:
    rng = np.random.default_rng(start)
    return [example.record(start + number, rng) for number in range(count)]


def opened(kind: type[TaskKind], root: Path, **settings: Any) -> Task:
    return Task.open(kind.model_validate(EXAMPLES[name_of(kind)].reading(settings)), root, root / "rejects")


@pytest.fixture(params=KINDS, ids=name_of)
def kind(request):
    return request.param


@pytest.fixture
def example(kind):
    return EXAMPLES[name_of(kind)]


@pytest.fixture
def task(kind, example, tmp_path):
    write(tmp_path / "all.jsonl", records(example))
    return opened(kind, tmp_path)


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """By kind a test split of 600 items with answers."""
    found = {}
    for each in KINDS:
        example = EXAMPLES[name_of(each)]
        root = tmp_path_factory.mktemp(name_of(each))
        write(root / "train.jsonl", records(example))
        write(root / "dev.jsonl", records(example, 1000, 50))
        write(root / "test.jsonl", records(example, 2000, 600))
        task = opened(each, root) if each.learned else opened(each, root, path="test.jsonl")
        outputs = example.outputs(task.test, np.random.default_rng(1))
        found[each] = task, task.kind.decoded(example.form, outputs, task.test)
    return found


METRICS = [pytest.param(kind, metric, id=f"{name_of(kind)}-{metric.name}") for kind in KINDS for metric in kind.metrics]


def test_every_kind_has_a_name_of_its_own_and_an_example_here():
    assert {name_of(kind) for kind in KINDS} == set(EXAMPLES)
    assert len(EXAMPLES) == len(KINDS)
    assert all(kind.traced for kind in KINDS[1:]), "digests of other kinds than the first say which it is"


def test_rows_are_read(task, example):
    assert sum(map(len, (task.train, task.dev, task.test))) == COUNT
    assert sorted([*task.train.index, *task.dev.index, *task.test.index]) == list(range(COUNT))
    assert set(task.train.documents()) <= {text for record in records(example) for text in texts_in(record)}
    json.dumps(task.facts.as_dict())


def test_bad_rows_are_refused_with_file_and_line_and_can_be_skipped(kind, example, tmp_path):
    for bad in example.bad:
        write(tmp_path / "all.jsonl", [*records(example), bad])
        with pytest.raises(DataError, match=rf"all\.jsonl:{COUNT + 1}: "):
            opened(kind, tmp_path)
    write(tmp_path / "all.jsonl", [*records(example), *example.bad])
    facts = opened(kind, tmp_path, skip_bad=True).facts
    assert facts.rejected == len(example.bad)
    lines = [json.loads(line)["line"] for line in Path(str(facts.rejects_file)).read_text().splitlines()]
    assert sorted(lines) == list(range(COUNT + 1, COUNT + 1 + len(example.bad)))


def test_the_digest_is_what_it_has_always_been_and_follows_gold_and_rows(kind, example, task, tmp_path):
    assert task.fingerprint == opened(kind, tmp_path).fingerprint
    assert task.fingerprint == example.digest
    assert task.fingerprint != opened(kind, tmp_path, split_seed=1).fingerprint
    changed = records(example)
    changed[0] = {**changed[0], **{name: value for name, value in changed[1].items() if name != "text"}}
    write(tmp_path / "all.jsonl", changed)
    other = opened(kind, tmp_path)
    assert (changed == records(example)) == (other.fingerprint == task.fingerprint)


def test_every_item_has_a_stratum_and_splits_have_each_ones_share(task, example):
    parts = [task.kind.strata(split.gold) for split in (task.train, task.dev, task.test)]
    assert all(isinstance(part, Ragged) and (part.lengths >= 1).all() for part in parts)
    whole = sum(np.bincount(part.values, minlength=20) for part in parts)
    for part, share in zip(parts, example.shares, strict=True):
        assert np.abs(np.bincount(part.values, minlength=20) - share * whole).max() <= 3


def test_what_only_judges_has_nothing_to_learn_from(kind, task):
    assert kind.learned == bool(len(task.train))
    assert kind.learned or not task.judging.isdisjoint(map(text_hash, task.test.documents()))


def test_budgets_are_nested(kind, task):
    if not kind.learned:
        with pytest.raises(DataError, match="a budget of 10 labels cannot be drawn"):
            task.budget(10, seed=3)
        return
    smaller = task.budget(10, seed=3)
    for size in (11, 30, 100):
        larger = task.budget(size, seed=3)
        assert larger.train.index[: len(smaller.train)].tolist() == smaller.train.index.tolist()
        assert larger.fingerprint != smaller.fingerprint
        smaller = larger


def test_made_splits_are_read_again(kind, task, tmp_path):
    if not task.facts.made:
        assert task.write_splits(tmp_path / "splits") == ()
        return
    task.write_splits(tmp_path / "splits")
    again = opened(kind, tmp_path / "splits")
    assert again.names == task.names
    for one, other in zip((again.train, again.dev, again.test), (task.train, task.dev, task.test), strict=True):
        assert one.inputs == other.inputs
        assert column_bytes(one.gold) == column_bytes(other.gold)


@pytest.mark.measured(1)
@pytest.mark.parametrize(("kind", "metric"), METRICS)
def test_what_items_contribute_has_the_score_as_its_mean_and_its_standard_error(kind: type[TaskKind], metric: Metric, judged):
    task, answers = judged[kind]
    split, answers = task.test, {name: answers[name] for name in metric.reads}
    score, each = metric.score(split, answers), metric.each(split, answers)
    assert each.shape == (len(split),)
    assert each.mean() == pytest.approx(score, abs=1e-12)
    assert np.isfinite(each).all()
    drawn = np.random.default_rng(0).integers(0, len(split), (DRAWS, len(split)))
    scores = [metric.score(split.take(rows), {name: taken(column, rows) for name, column in answers.items()}) for rows in drawn]
    assert each.std() / np.sqrt(len(split)) == pytest.approx(np.std(scores), rel=0.15)


def test_scores_are_named_once_and_the_first_is_compared(kind, judged):
    task, answers = judged[kind]
    scores = split_scores(task.kind, {"test": (task.test, answers)})
    assert list(scores) == [f"test_{metric.name}" for metric in kind.metrics]
    assert len(scores) == len(kind.metrics)
    assert kind.metric(None) is kind.metrics[0]
    assert kind.metrics[0].compared
    for metric in kind.metrics:
        if metric.compared:
            assert kind.metric(metric.name) is metric
        else:
            with pytest.raises(SettingsError, match=f"no score by which {name_of(kind)} is compared"):
                kind.metric(metric.name)


def test_answers_survive_parquet(kind, judged, tmp_path):
    task, answers = judged[kind]
    write_predictions(tmp_path / "predictions.parquet", {"test": (task.test, answers)})
    back = read_predictions(tmp_path / "predictions.parquet")["test"]
    for name, column in {"gold": task.test.gold, **answers}.items():
        assert type(back[name]) is type(column)
        assert column_bytes(back[name]) == column_bytes(column)
    some = read_answers(tmp_path / "predictions.parquet", "test", kind.metrics[0].reads)
    assert kind.metrics[0].score(task.test, some) == kind.metrics[0].score(task.test, answers)
    assert set(kind.named) <= {"gold", *answers}


def test_what_is_right_and_what_was_said_can_be_shown(kind, judged):
    task, answers = judged[kind]
    right = kind.right(task.test, answers)
    assert right.shape == (len(task.test),)
    assert right.min() >= 0
    assert right.max() <= 1
    assert 0 < right.mean() < 1
    assert all(kind.shown(task.test.gold, row, task.names) for row in range(len(task.test)))
    assert kind.shown(taken(task.test.gold, np.array([3, 0])), 1, task.names) == kind.shown(task.test.gold, 0, task.names)


def test_blocks_are_values_that_can_be_rendered(kind, judged):
    task, answers = judged[kind]
    for block in kind.blocks:
        found = block(Judged(task.test, (answers, answers)))
        assert found is None or isinstance(found, Table | Matrix | Points | Examples | Marked)
        if isinstance(found, Table):
            assert {len(row) for row in found.rows} <= {len(found.headings)}


def test_the_card_has_a_tag_of_the_hub_and_a_sentence(kind):
    tag, sentence = kind.card
    assert tag in TAGS
    assert len(sentence.split()) > 3
    assert sentence[0].islower()
    assert sentence[-1] != "."


def test_a_model_knows_what_it_needs_and_other_forms_are_refused(kind, task):
    heads = {form: task.kind.head(task.names, form) for form in kind.answered}
    assert all(
        isinstance(head, Head) and head.names == (task.names or head.names) and bool(head.losses) == kind.learned for head in heads.values()
    )
    for form in {"sequence", "tokens", "embedding", "text"} - heads.keys():
        with pytest.raises(SettingsError, match=name_of(kind)):
            task.kind.head(task.names, form)
    assert set(kind.thresholded) <= heads.keys()
