"""Studies on data from Python: the same keys as from files, messages that name rows, and an output folder that runs again by itself."""

import json
import re
from multiprocessing import get_context

import datasets
import pandas as pd
import pytest

from acclimate.errors import DataError, SettingsError
from acclimate.stages.finetune import Finetune
from acclimate.stages.pretrain import Pretrain
from acclimate.study import run
from acclimate.study.engines import table
from acclimate.study.engines.inline import Inline
from acclimate.study.given import with_rows
from acclimate.study.language.study import Study, load_study, parse_study
from acclimate.study.outputs.output_folder import check_whole
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import Options, run_study
from acclimate.tasks.opened import Data, DataSettings

SPLITS = ("train", "dev", "test")
TINY = {"tfidf": {"base": "tfidf"}}


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def rows(tiny_world):
    return {split: read(tiny_world / f"{split}.jsonl") for split in SPLITS}


def keys(study, root, store):
    return set(prepare(study, root, store).plan.nodes)


def options(folder, **more):
    return Options(folder / "out", folder / "store", **({"engine": "inline", "threads": 1, "say": lambda _: None} | more))


def refused(study, folder, **data):
    with pytest.raises((DataError, SettingsError)) as caught:
        prepare(with_rows(study, folder / "store", **data), folder, folder / "store")
    return str(caught.value)


def test_rows_in_any_form_have_the_keys_of_the_same_files(tiny_world, tmp_path, rows):
    recipes = {"ft": [Finetune()], "DAPT": [Pretrain(corpus="domain", tokens=600), Pretrain(corpus="task", epochs=1), Finetune()]} | TINY
    files = {split: f"{split}.jsonl" for split in SPLITS}
    base = str(tiny_world / "model")
    from_files = parse_study({"base": base, "data": {"task": files, "domain": "domain.jsonl"}, "recipes": recipes, "labels": [30, "all"]})
    expected = keys(from_files, tiny_world, tmp_path / "store")
    texts = [row["text"] for row in read(tiny_world / "domain.jsonl")]
    study = Study(base=base, data={"task": {"kind": "classify"}, "domain": {}}, recipes=recipes, labels=(30, "all"))
    names = sorted({row["label"] for row in rows["train"]})
    features = datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=names))
    forms = (
        ({split: pd.DataFrame(rows[split]) for split in SPLITS}, texts),
        (datasets.DatasetDict({split: datasets.Dataset.from_list(rows[split], features=features) for split in SPLITS}), iter(texts)),
        ({"train": iter(rows["train"]), "validation": tuple(rows["dev"]), "test": rows["test"]}, pd.DataFrame({"text": texts})),
    )
    for task, domain in forms:
        given = with_rows(study, tmp_path / "store", task=task, corpora={"domain": domain})
        assert keys(given, tmp_path, tmp_path / "store") == expected


def test_rows_without_splits_are_split_as_one_file_is(tiny_world, tmp_path, rows):
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows["train"]))
    from_file = Data.open(DataSettings.model_validate({"task": "all.jsonl"}), tmp_path).task
    study = with_rows(Study(data={}, recipes=TINY), tmp_path / "store", task=rows["train"])
    given = Data.open(study.data, tmp_path).task
    assert given.facts.made == from_file.facts.made == ("test", "dev")
    assert given.fingerprint == from_file.fingerprint


def test_rows_of_a_further_task_are_named_by_it(tiny_world, tmp_path, rows):
    recipes = {"ft": [Finetune(task="topics"), Finetune()]}
    files = {split: str(tiny_world / f"{split}.jsonl") for split in SPLITS}
    topics = {"train": "dev.jsonl", "dev": "dev.jsonl", "test": "dev.jsonl", "duplicates": "keep"}
    base = str(tiny_world / "model")
    from_files = parse_study({"base": base, "data": {"task": files, "tasks": {"topics": topics}}, "recipes": recipes})
    study = Study(base=base, data={"task": files, "tasks": {"topics": {"duplicates": "keep"}}}, recipes=recipes)
    given = dict.fromkeys(SPLITS, rows["dev"])
    whole = with_rows(study, tmp_path / "store", tasks={"topics": given})
    assert keys(whole, tmp_path, tmp_path / "store") == keys(from_files, tiny_world, tmp_path / "store")
    message = refused(study, tmp_path, tasks={"topics": given | {"train": [*rows["dev"], {"text": "a", "label": None}]}})
    assert "task topics train row 41: 'label' is empty" in message
    assert "data.tasks.topics: a task needs either `path`" in refused(study, tmp_path)


def test_unlabelled_texts_of_the_task_go_by_its_name(tmp_path, rows):
    (tmp_path / "more.txt").write_text("one text\nother text\n")
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows["train"]))
    from_files = {"task": {"path": "all.jsonl", "unlabeled": {"path": "more.txt", "documents": "line"}}}
    expected = Data.open(DataSettings.model_validate(from_files), tmp_path).task.text_fingerprint
    study = Study(data={"task": {"unlabeled": {}}}, recipes=TINY)
    given = with_rows(study, tmp_path / "store", task=rows["train"], corpora={"task": ["one text", "other text"]})
    assert Data.open(given.data, tmp_path).task.text_fingerprint == expected
    assert "data.task.unlabeled: no `path` says where its texts are" in refused(study, tmp_path, task=rows["train"])


def test_pairs_without_labels_may_be_tuples_or_have_the_names_of_their_columns(tmp_path):
    pairs = [("it rains", "it pours"), ("a dog runs", "it moves")]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(dict(zip("ab", pair, strict=True))) + "\n" for pair in pairs))
    files = DataSettings.model_validate({"transfer": {"path": "pairs.jsonl", "text_b": "b"}})
    expected = Data.open(files, tmp_path).corpora["transfer"].fingerprint
    study = Study(data={"transfer": {"text_b": "b"}}, recipes={"read": [Pretrain(corpus="transfer")]})
    for rows in (pairs, iter(map(list, pairs)), pd.DataFrame(pairs, columns=["a", "b"])):
        given = with_rows(study, tmp_path / "store", corpora={"transfer": rows})
        assert Data.open(given.data, tmp_path).corpora["transfer"].fingerprint == expected
    assert "transfer row 1: is a str, and a pair of texts is wanted" in refused(study, tmp_path, corpora={"transfer": ["it rains"]})


def test_lists_of_labels_and_columns_of_0_and_1_are_read_as_in_files(tmp_path):
    rows = [{"text": f"text {number}", "labels": [name for place, name in enumerate("ab") if number >> place & 1]} for number in range(80)]
    columns = [{"text": row["text"], **{name: int(name in row["labels"]) for name in "ab"}} for row in rows]
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    expected = Data.open(DataSettings.model_validate({"task": {"kind": "multilabel", "path": "all.jsonl"}}), tmp_path).task.fingerprint
    for form in (rows, pd.DataFrame(rows), pd.DataFrame(columns), [row | {"labels": set(row["labels"])} for row in rows]):
        study = with_rows(Study(data={"task": {"kind": "multilabel"}}, recipes=TINY), tmp_path / "store", task=form)
        assert Data.open(study.data, tmp_path).task.fingerprint == expected


def test_messages_name_the_split_and_the_row(tmp_path, rows):
    study = Study(data={"task": {"label": "label"}}, recipes=TINY)
    train = pd.DataFrame(rows["train"])
    train.loc[17, "label"] = None
    train.loc[3, "text"] = float("nan")
    message = refused(study, tmp_path, task={"train": train, "test": rows["test"]})
    assert "train row 18: 'label' is empty\n" in message
    assert "train row 4: 'text' is null\n" in message
    assert message.endswith("Mend the rows, or set `skip_bad: true` to skip, count and keep such records in a file.")
    assert str(tmp_path) not in message
    message = refused(study, tmp_path, task={"train": rows["train"], "test": [rows["test"][0], rows["train"][5]]})
    assert "test row 2: " in message
    assert "stands in train row 6 too" in message
    without = [{"text": row["text"]} for row in rows["train"]]
    assert "train row 1: no 'label'; it has 'text'" in refused(study, tmp_path, task=without)
    odd = [*rows["train"], {"text": b"raw", "label": "sport"}, {"text": "a", "label": 2.5}]
    message = refused(study, tmp_path, task=odd)
    assert "train row 91: 'text' is bytes, a string is wanted" in message
    assert "train row 92: 'label' is 2.5; a string, a whole number, true or false is wanted" in message
    assert "train: which column is the label?" in refused(Study(data={}, recipes=TINY), tmp_path, task=[{"a": "x", "b": "y", "c": "z"}] * 3)


def test_skipped_rows_are_counted_and_kept_by_their_number(tmp_path, rows):
    study = Study(data={"task": {"skip_bad": True}}, recipes=TINY)
    task = {"train": [*rows["train"], {"text": b"raw", "label": "sport"}], "test": rows["test"]}
    data = Data.open(with_rows(study, tmp_path / "store", task=task).data, tmp_path, tmp_path / "rejects")
    assert data.task.facts.rejected == 1
    (reject,) = read(tmp_path / "rejects" / "task.jsonl")
    assert (reject["file"], reject["line"], reject["record"]["text"]) == ("train", 91, "b'raw'")
    assert data.task.facts.files["train"] == {"given from Python": 91}


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"train": [{"a": 1}], "tset": []}, r"task: 'tset' is no split; rows are given by .* and test; did you mean 'test'\?"),
        ({"text": ["a"], "label": ["b"]}, "task: 'text' is no split; .*; make a frame of lists by column"),
        ({"train": [{}], "dev": [{}], "validation": [{}]}, "task: 'dev' and 'validation' are both dev"),
        ({"test": [{}]}, "task: there is no train among the splits, only test"),
        ({}, "task: there is no train among the splits, only nothing"),
    ],
)
def test_splits_are_named_as_they_are_known(tmp_path, task, message):
    assert re.search(message, refused(Study(data={}, recipes=TINY), tmp_path, task=task))


def test_data_comes_from_one_place_and_settings_of_files_say_nothing_of_rows(tmp_path):
    placed = Study(data={"task": "here.jsonl", "domain": "x.txt"}, recipes=TINY)
    assert "task: data is given, and the study says where it is, too (`path: here.jsonl`)" in refused(placed, tmp_path, task=[{}])
    assert "corpus domain: data is given, and the study says where" in refused(placed, tmp_path, corpora={"domain": ["a"]})
    assert "'domian', which the study does not have; did you mean 'domain'?" in refused(placed, tmp_path, corpora={"domian": ["a"]})
    nothing = Study(data={}, recipes=TINY)
    assert "corpora: a mapping of names to data is wanted, not a list" in refused(nothing, tmp_path, corpora=["a"])
    assert "name it in the study: data={'corpora': {'laws': {}}}" in refused(nothing, tmp_path, corpora={"laws": ["a"]})
    assert "name it in the study: data={'tasks': {'nli': {}}}" in refused(nothing, tmp_path, tasks={"nli": [{}]})
    study = Study(data={"task": {"format": "csv"}}, recipes=TINY)
    assert "task: `format` is about files, and what is given comes from Python" in refused(study, tmp_path, task=[{}])


def test_a_study_that_lacks_data_is_refused_when_nothing_is_given(tmp_path):
    need = "a task needs either `path`"
    assert need in refused(Study(data={"task": {"label": "y"}}, recipes=TINY), tmp_path)
    assert "there is no `task`, and the recipe tfidf reads it" in refused(Study(data={}, recipes=TINY), tmp_path)
    dapt = Study(data={"domain": {"text": "body"}}, recipes={"a": [Pretrain()]})
    assert "data.domain: no `path` says where its texts are" in refused(dapt, tmp_path)
    with pytest.raises(SettingsError, match=need):
        Data.open(DataSettings.model_validate({"task": {"label": "y"}}), tmp_path)
    with pytest.raises(DataError, match="the corpus 'domain': no `path` says where"):
        Data.open(DataSettings.model_validate({"domain": {}}), tmp_path)


def test_what_is_written_must_say_where_its_data_is(tmp_path):
    """Also to `acclimate plan`, which reads it in the same way."""
    file = tmp_path / "study.yaml"
    for data, message in (
        ("task: {label: y}", r"study\.yaml:2:8: data\.task: a task needs either `path` .* or `train`$"),
        ("domain: {text: y}", r"study\.yaml:2:8: data\.domain: the key 'path' is missing$"),
    ):
        file.write_text(f"base: m\ndata: {{{data}}}\nrecipes: {{tfidf: {{base: tfidf}}}}\n")
        with pytest.raises(SettingsError, match=message):
            load_study(file)
    with pytest.raises(SettingsError, match="a task needs either `path`"):
        parse_study({"data": {"task": {"label": "y"}}, "recipes": TINY})


def test_the_output_folder_keeps_the_rows_and_runs_again_by_itself(tmp_path, rows):
    study = Study(data={"task": {"group": "g"}, "corpora": {"a/b": {}}}, seeds=1, recipes=TINY)
    task = {split: [row | {"g": f"{split} {place}"} for place, row in enumerate(rows[split])] for split in ("train", "test")}
    finished = run_study(study, tmp_path, options(tmp_path), task=task, corpora={"a/b": ["some text", "more text"]})
    out = tmp_path / "out"
    assert (finished.runs, finished.failed) == (1, 0)
    assert sorted(path.name for path in (out / "data").glob("*.jsonl")) == ["corpus a%2Fb.jsonl", "test.jsonl", "train.jsonl"]
    assert read(out / "data" / "train.jsonl") == task["train"]
    about = json.loads((out / "study.json").read_text())
    check_whole(out, about)
    assert about["data"]["task"]["files"]["test"] == {"given from Python": 60}
    assert about["data"]["corpora"]["a/b"]["paths"] == {"given from Python": 2}
    assert not [path for path in out.glob("*.*") if "acclimate-rows" in path.read_text(errors="ignore")]
    again = load_study(out / "study.yaml")
    prepared = prepare(again, out, tmp_path / "store")
    assert prepared.plan.nodes.keys() == prepared.cached
    # Rows that are given anew take the place of these, and a study on files leaves none.
    run_study(study, tmp_path, options(tmp_path), task=task | {"train": task["train"][:60]}, corpora={"a/b": ["x y z"]})
    assert len(read(out / "data" / "train.jsonl")) == 60
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows["train"]))
    run_study(Study(data={"task": "all.jsonl"}, seeds=1, recipes=TINY), tmp_path, options(tmp_path))
    assert not (out / "data").exists()


def test_somebodys_folder_of_the_name_stays(tmp_path, rows):
    out = tmp_path / "out"
    first = Study(data={"task": {}}, seeds=1, recipes=TINY)
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows["train"]))
    from_file = Study(data={"task": "all.jsonl"}, seeds=1, recipes=TINY)
    run_study(from_file, tmp_path, options(tmp_path))
    (out / "data").mkdir()
    (out / "data" / "mine.txt").write_text("mine")
    with pytest.raises(SettingsError, match=r"data: holds 'mine\.txt', and acclimate did not make it"):
        run_study(first, tmp_path, options(tmp_path), task=rows["train"])
    run_study(from_file, tmp_path, options(tmp_path))
    assert (out / "data" / "mine.txt").read_text() == "mine"


def test_processes_of_torchrun_that_follow_read_the_same_rows(tmp_path, rows, monkeypatch):
    study = Study(data={"task": {}}, seeds=1, recipes=TINY)
    expected = keys(with_rows(study, tmp_path / "store", task=rows["train"]), tmp_path, tmp_path / "store")
    monkeypatch.setenv("RANK", "1")
    seen = []
    monkeypatch.setattr(run, "carry_out", lambda prepared, *_: seen.append(set(prepared.plan.nodes)))
    run_study(study, tmp_path, options(tmp_path), task=iter(rows["train"]))
    assert seen == [expected]


def test_workers_in_other_processes_read_the_rows(tmp_path, rows, monkeypatch):
    class Elsewhere(Inline):
        """A process opens the data as a worker would; to train there would load torch once more."""

        def run(self, jobs, setup, *more):
            with get_context("spawn").Pool(1) as pool:
                seen.append(pool.apply(Data.open, (setup.data, setup.root, None, setup.corpora)).task)
            return super().run(jobs, setup, *more)

    seen = []
    monkeypatch.setitem(table.ENGINES, "local", Elsewhere)
    study = Study(data={"task": {}}, seeds=1, labels=(20, 40), recipes={"majority": {"base": "majority"}})
    finished = run_study(study, tmp_path, options(tmp_path, engine="local"), task=pd.DataFrame(rows["train"]))
    assert (finished.runs, finished.failed) == (2, 0)
    (there,) = seen
    documents = {text for split in there.splits.values() for text in split.documents()}
    assert documents == {row["text"] for row in rows["train"]}
