"""Data that is replaced while a study runs: nothing is sealed under the key of what was there before."""

import os
import shutil

import pytest

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.errors import DataError, ModelError
from acclimate.stages.start import Start
from acclimate.study.language.study import parse_study
from acclimate.study.run import Options, run_study
from acclimate.study.store.artifacts import Store

PRETRAIN = [{"pretrain": {"corpus": "domain", "tokens": 600, "batch_tokens": 256}}]


@pytest.fixture
def world(tiny_world, tmp_path):
    shutil.copytree(tiny_world, tmp_path / "world")
    return tmp_path / "world"


def run(world, recipes, change=lambda: None):
    """(the finished study, the stages that stand in the store); `change` is called when the plan is made and nothing is read for it yet."""
    task = {split: f"{split}.jsonl" for split in ("train", "dev", "test")}
    data = {"domain": "domain.jsonl", "task": task}
    study = parse_study({"base": "model", "data": data, "seeds": 1, "forgetting": False, "recipes": recipes})
    said = []

    def say(line):
        said.append(line)
        if "stages for" in line:
            change()

    store = world.parent / "store"
    finished = run_study(study, world, Options(world.parent / "out", store, engine="inline", threads=1, say=say))
    return finished, [entry.stage for entry in Store(store).ls() if entry.kind == "artifact"], "\n".join(said)


def replaced(path, edit):
    """Replace a file by another of the same size and time, as a synchronising tool does."""
    before = path.stat()
    other = path.with_name("other-file")
    other.write_text(edit(path.read_text()))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert other.stat().st_size == before.st_size
    os.replace(other, path)


def shout(text):
    return text.replace("goal", "gaol").replace("song", "sing").replace("bank", "bunk")


def test_a_corpus_replaced_while_a_study_runs_is_not_read_under_its_old_key(world):
    recipes = {"DAPT": PRETRAIN}
    finished, stages, said = run(world, recipes, lambda: replaced(world / "domain.jsonl", shout))
    assert finished.failed == 1
    assert "domain.jsonl: the corpus 'domain' changed while the study ran" in said
    assert stages == ["start"]
    assert not list((world.parent / "store" / "cache").glob("*/tokens.bin"))
    finished, stages, said = run(world, recipes)
    assert finished.failed == 0
    assert sorted(stages) == ["pretrain", "score", "start"]


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_task_replaced_while_a_study_runs_is_not_read_under_its_old_key(world, split):
    recipes = {"majority": {"base": "majority"}, "tfidf": {"base": "tfidf"}}
    edit = (lambda text: text[: text.index("trade")] + "sport" + text[text.index("trade") + 5 :]) if split == "train" else shout
    finished, stages, said = run(world, recipes, lambda: replaced(world / f"{split}.jsonl", edit))
    assert (finished.failed, stages) == (2, [])
    assert "changed while the study ran" in said
    assert run(world, recipes)[0].failed == 0


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("".join(f"line {number:09} {'of the corpus ' * 200}\n" for number in range(2000)))
    corpus = Corpus.open("domain", CorpusSettings(path="corpus.txt"), tmp_path)
    corpus.scan()
    documents = corpus.documents()
    next(documents)
    with path.open("r+b") as file:
        file.seek(-12, os.SEEK_END)
        file.write(b"C")
    with pytest.raises(DataError, match="changed while the study ran"):
        list(documents)


def test_weights_that_change_while_they_are_read_are_not_taken(bert, tmp_path, monkeypatch, tiny):
    from types import SimpleNamespace

    from acclimate.modeling import imported_base

    start = Start(digest=bert.digest, name="base", folder=str(bert.folder))
    context = SimpleNamespace(output=tmp_path / "made", seed=0)
    start.run(None, context)
    shutil.rmtree(tmp_path / "made")
    whole = imported_base.import_base

    def swapped(source, output):
        made = whole(source, output)
        tiny("bert", "mlm", seed=5).save_pretrained(source.folder)
        return made

    monkeypatch.setattr(imported_base, "import_base", swapped)
    with pytest.raises(ModelError, match="its files changed while the study ran"):
        start.run(None, context)
