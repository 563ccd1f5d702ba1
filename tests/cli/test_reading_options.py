"""Every verb that reads files has the options of reading, and hands them to the readers as settings."""

import inspect
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from acclimate.cli import show, use
from acclimate.cli.mends import options_of
from acclimate.cli.models import finetune, pretrain, prune, tokenizer
from acclimate.cli.reading_options import ASKED, LABELS, TASK, TEXTS, Reading, reads
from acclimate.cli.verbs import app
from acclimate.data.corpus import CorpusSettings
from acclimate.data.readers.every_text import AskedFiles
from acclimate.modeling.baselines.majority_model import MajorityModel
from acclimate.tasks import KINDS

TABLES = {"--text", "--format", "--delimiter", "--quoting", "--encoding", "--header", "--no-header", "--skip-bad"}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    MajorityModel(("neg", "pos"), (0.25, 0.75)).save(tmp_path / "model")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("verb", "own"),
    [
        (pretrain, {"--documents"}), (prune, {"--documents"}), (tokenizer, {"--documents"}), (finetune, {"--label"}),
        (use.predict, {"--documents", "--split", "--strict", "--out", "--text-b"}),
        (use.evaluate, {"--label", "--split", "--text-b", "--score"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_every_verb_that_reads_files_says_how_with_the_same_options(verb, own):
    assert options_of(verb) >= TABLES | own


@pytest.mark.parametrize(("options", "settings"), [(TEXTS, (CorpusSettings,)), (ASKED, (AskedFiles,)), (LABELS, KINDS), (TASK, KINDS)])
def test_every_option_of_reading_is_a_setting_of_that_name(options, settings):
    assert options.keys() <= {name for each in settings for name in each.model_fields}


def test_only_what_was_set_reaches_the_verb():
    got: list[dict[str, Any]] = []

    @reads(TEXTS)
    def verb(file: str, reading: Reading) -> None:
        got.append({"file": file, **reading})

    assert "reading" not in inspect.signature(verb).parameters
    verb(file="a", **dict.fromkeys(TEXTS) | {"header": False, "text": "body"})
    verb(file="b", **dict.fromkeys(TEXTS) | {"skip_bad": True})
    assert got == [{"file": "a", "header": False, "text": "body"}, {"file": "b", "skip_bad": True}]


def test_a_table_of_another_make_is_read_as_the_options_say(here):
    (here / "new.csv").write_bytes("1;café\n2;thé\n".encode("cp1252"))
    done = run("predict", "model", "new.csv", "--delimiter", ";", "--no-header", "--encoding", "cp1252", "--text", "2")
    assert done.exit_code == 0, done.output
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == ["pos", "pos"]


def test_problems_are_mended_by_options_of_the_verb(here):
    (here / "gold.csv").write_text("text,label\ngood,pos\nbad,\n")
    done = run("evaluate", "model", "gold.csv")
    assert done.exit_code == 2
    assert "gold.csv:3: 'label' is empty" in done.stderr
    assert "--skip-bad" in done.stderr
    assert "skip_bad" not in done.stderr
    assert run("evaluate", "model", "gold.csv", "--skip-bad").exit_code == 0


def test_a_separator_is_about_several_labels(here):
    MajorityModel(("neg", "pos"), (0.25, 0.75), "sigmoid").save(here / "several")
    (here / "gold.csv").write_text("text,labels\ngood,pos + neg\nbad,\n")
    done = run("evaluate", "several", "gold.csv", "--separator", "+")
    assert done.exit_code == 0, done.output
    assert "example_f1" in done.stdout
    (here / "gold.csv").write_text("text,label\ngood,pos\n")
    done = run("evaluate", "model", "gold.csv", "--separator", "+")
    assert done.exit_code == 2
    assert "--separator says nothing of classify, which this model answers" in done.stderr


def test_rows_without_text_are_counted_on_standard_error_and_are_no_failure(here):
    (here / "new.csv").write_text("id,text\n1,good\n2,\n")
    done = run("predict", "model", "new.csv")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 2
    assert "1 of 2 rows has no text" in done.stderr
    strict = run("predict", "model", "new.csv", "--strict")
    assert (strict.exit_code, strict.stdout) == (2, "")
    assert "new.csv:3: 'text' is empty" in strict.stderr
    assert "say one of them" in run("predict", "model", "new.csv", "--strict", "--skip-bad").stderr


def test_what_is_wrong_with_a_row_is_mended_by_options_of_the_verb_too(here):
    (here / "new.csv").write_bytes("text\nnaïve\nplain\n".encode("cp1252"))
    done = run("predict", "model", "new.csv")
    assert "say --encoding cp1252" in json.loads(done.stdout.splitlines()[0])["problem"]
    assert "say --encoding cp1252" in done.stderr


def test_a_command_in_a_card_says_how_the_data_was_read():
    words = show.command("finetune", "base", "data.csv", out="made", header=False, skip_bad=True, delimiter=";")
    assert words == "acclimate finetune base data.csv --out made --no-header --skip-bad --delimiter ';'"


@pytest.mark.parametrize("group", ["doc", r"{text_without: '<<|>>'}"])
@pytest.mark.measured(0)
@pytest.mark.usefixtures("one_process")
def test_what_belongs_together_is_said_by_an_option_and_is_not_torn_apart(here, group):
    rows = [
        {"text": f"the << {n} >> of it" if k else f"<< the >> {n} of it", "label": "ab"[n % 2], "doc": n} for n in range(40) for k in (0, 1)
    ]
    (here / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run("finetune", "majority", "all.jsonl", "--out", "made", "--group", group)
    assert done.exit_code == 0, done.output
    made = {path.stem: [json.loads(line) for line in path.read_text().splitlines()] for path in (here / "made-splits").glob("*.jsonl")}
    of = {split: {row["index"] // 2 for row in rows} for split, rows in made.items()}
    assert sum(map(len, of.values())) == len(set().union(*of.values())) == 40
    assert all("group" in row for rows in made.values() for row in rows)
