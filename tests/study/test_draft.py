"""`acclimate init`: what it writes is planned, every comment is true, and what files do not tell is said."""

import json
import random
import re

import pytest

from acclimate.study.draft import written as draft
from acclimate.study.draft.looked import look
from acclimate.study.draft.recipes import ladder, of_ladder
from acclimate.study.language.study import load_study
from acclimate.study.plan.prepared import check_planned

WORDS = ["the", "film", "was", "long", "and", "good", "bad", "music", "in", "price", "of", "market"]


def text(rng):
    return " ".join(rng.choice(WORDS) for _ in range(12))


def written(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


RECORDS = {
    "classify": lambda rng, number: {"id": number, "text": text(rng), "label": rng.choice(["good", "bad"])},
    "multilabel": lambda rng, number: {"text": text(rng), "labels": rng.sample(["a", "b", "c"], number % 3)},
    "pair": lambda rng, number: {"premise": text(rng), "hypothesis": text(rng), "label": rng.choice(["yes", "no"])},
    "similarity": lambda rng, number: {"sentence1": text(rng), "sentence2": text(rng), "score": rng.random()},
    "retrieve": lambda rng, number: {"query": text(rng), "positive": text(rng)},
    "tag": lambda rng, number: {"tokens": ["Ann", *text(rng).split()], "ner_tags": ["B-PER", *["O"] * 12]},
    "perplexity": lambda rng, number: {"text": text(rng)},
}


@pytest.fixture
def made(tmp_path, acclimate):
    """A function that writes so many records of a kind, and a text beside them, and returns what `init` made of both."""

    def make(kind, *options, count=120):
        rng = random.Random(0)
        written(tmp_path / "all.jsonl", [RECORDS[kind](rng, number) for number in range(count)])
        (tmp_path / "field.txt").write_text("\n".join(text(rng) for _ in range(80)))
        return acclimate("init", "all.jsonl", "field.txt", "--out", "study.yaml", *options, folder=tmp_path)

    return make


@pytest.mark.measured(2)
@pytest.mark.parametrize("kind", RECORDS)
def test_what_is_written_for_every_kind_is_planned(made, tmp_path, acclimate, kind):
    ran = made(kind)
    assert ran.returncode == 0, ran.stderr
    study = load_study(tmp_path / "study.yaml")
    assert study.data.task.kind == kind
    assert len(study.recipes) > 2
    assert {"field.txt"} <= {path for corpus in study.data.corpora_by_name().values() for path in (corpus.path,)}
    assert "text of the field or of the task itself" in ran.stderr or kind == "perplexity"
    planned = acclimate("plan", "study.yaml", folder=tmp_path)
    assert planned.returncode == 0, planned.stderr


@pytest.mark.measured(1)
@pytest.mark.parametrize("kind", RECORDS)
def test_every_rung_of_the_ladder_is_planned_and_only_named_recipes_are_written(made, tmp_path, kind):
    made(kind)
    looked = look(["all.jsonl", "field.txt"], tmp_path, tmp_path, {})
    rungs = ladder(looked.found.kind, looked.words)
    text = draft.written(looked, draft.Chosen(recipes=of_ladder(looked.found.kind, looked.words, [*rungs])))
    study = draft.parsed(text)
    check_planned(study, looked.opened, tmp_path)
    assert {*study.recipes} == {*rungs}
    assert study.reference_name == next(iter(study.recipes)) in ("fine-tune", "as it is")


def test_comments_say_what_was_counted(made, tmp_path):
    made("classify")
    said = (tmp_path / "study.yaml").read_text()
    rows = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    sizes = {split: int(said.partition(f"# {split}: ")[2].split()[0]) for split in ("train", "dev", "test")}
    assert sum(sizes.values()) == len(rows) == 120
    assert "# train: " in said
    assert said.count("half have at most 12, 95 % at most 12, the longest 12") == 3
    assert "(held out of train by acclimate)" in said
    assert "80 documents of 1 file, 960 words" in said
    assert "`label` is a usual name of a label" in said


def test_files_named_like_splits_are_one_task_and_copies_across_them_are_dropped_and_counted(tmp_path, acclimate):
    rng = random.Random(1)
    rows = [{"clause": text(rng), "label": rng.choice("ab")} for _ in range(90)]
    written(tmp_path / "data" / "train.jsonl", rows[:60])
    written(tmp_path / "data" / "validation.jsonl", rows[60:75])
    written(tmp_path / "data" / "test.jsonl", [*rows[75:], rows[0]])
    (tmp_path / "studies").mkdir()
    files = [f"data/{name}.jsonl" for name in ("train", "validation", "test")]
    ran = acclimate("init", *files, "--out", "studies/s.yaml", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    said = (tmp_path / "studies" / "s.yaml").read_text()
    task = load_study(tmp_path / "studies" / "s.yaml").data.task
    assert (task.train, task.dev, task.test) == ("../data/train.jsonl", "../data/validation.jsonl", "../data/test.jsonl")
    assert (task.text, task.duplicates) == ("clause", "drop")
    assert "texts that stand in train and in test: 1" in said
    assert "drops 1 from train" in said
    assert "which texts judge" not in ran.stderr


def test_texts_of_test_in_a_corpus_are_left_out_and_said(tmp_path, acclimate):
    rng = random.Random(2)
    rows = [{"text": text(rng), "label": rng.choice("ab")} for _ in range(100)]
    written(tmp_path / "all.jsonl", rows)
    (tmp_path / "field.txt").write_text("\n".join([*(row["text"] for row in rows), *(text(rng) for _ in range(60))]))
    ran = acclimate("init", "all.jsonl", "field.txt", "--out", "study.yaml", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert load_study(tmp_path / "study.yaml").data.leaks == "drop"
    assert acclimate("plan", "study.yaml", folder=tmp_path).returncode == 0


def test_a_column_that_is_a_label_by_its_values_alone_is_taken_and_said(tmp_path, acclimate):
    rng = random.Random(3)
    written(tmp_path / "a.jsonl", [{"text": text(rng), "verdict": rng.choice(["ja", "nein"])} for _ in range(60)])
    ran = acclimate("init", "a.jsonl", folder=tmp_path)
    assert "# classify: `verdict` is the only column beside `text`, and its values come back" in ran.stdout
    written(tmp_path / "b.jsonl", [{"text": text(rng), "verdict": rng.choice(["ja", "nein"]), "who": str(number)} for number in range(60)])
    ran = acclimate("init", "b.jsonl", folder=tmp_path)
    assert "no column is known as one (they are `text`, `verdict`, `who`); name it with --label" in ran.stderr
    ran = acclimate("init", "b.jsonl", "--label", "verdict", folder=tmp_path)
    assert (ran.returncode, "label: verdict" in ran.stdout) == (0, True), ran.stderr


def test_columns_whose_values_come_back_may_be_groups_and_that_is_asked(tmp_path, acclimate):
    rng = random.Random(4)
    rows = [{"text": text(rng), "label": rng.choice("ab"), "patient": f"p{number % 9}", "id": number} for number in range(60)]
    written(tmp_path / "a.jsonl", rows)
    ran = acclimate("init", "a.jsonl", folder=tmp_path)
    assert "in `patient` values come back; say `group: COLUMN`" in ran.stderr


def test_labels_that_would_like_to_be_more_than_a_comment_stay_in_it(tmp_path, acclimate):
    rng = random.Random(5)
    names = ["a\nbase: evil", "b\u2028c: d", "# e"]
    written(tmp_path / "a b: #.jsonl", [{"text": text(rng), "label": rng.choice(names)} for _ in range(90)])
    ran = acclimate("init", "a b: #.jsonl", "--odd-labels", "keep", "--out", "s.yaml", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    study = load_study(tmp_path / "s.yaml")
    assert (study.base, study.data.task.path) == ("acclimate-mini", "a b: #.jsonl")


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (("a.jsonl", "--out", "a.jsonl"), "is there already"),
        (("a.jsonl", "a.jsonl"), "named twice"),
        (("a.jsonl", "b.jsonl"), "is it train, dev or test"),
        (("a.jsonl", "tags.jsonl"), r"a study judges one task.*tags\.jsonl \(tag\)"),
        (("a.jsonl", "--kind", "clasify"), "did you mean 'classify'"),
        (("nowhere.jsonl",), "no such file"),
    ],
)
def test_what_cannot_be_one_study_is_refused_with_the_mend(tmp_path, acclimate, words, mend):
    rng = random.Random(6)
    for name in ("a", "b"):
        written(tmp_path / f"{name}.jsonl", [{"text": text(rng), "label": rng.choice("ab")} for _ in range(60)])
    written(tmp_path / "tags.jsonl", [RECORDS["tag"](rng, number) for number in range(60)])
    before = (tmp_path / "a.jsonl").read_text()
    ran = acclimate("init", *words, folder=tmp_path)
    assert ran.returncode == 2
    assert re.search(mend, ran.stderr), ran.stderr
    assert (tmp_path / "a.jsonl").read_text() == before
