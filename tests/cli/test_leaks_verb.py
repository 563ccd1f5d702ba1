"""`acclimate leaks` shows leaks to people and programs, also those for which a study would not start."""

import json

import pytest


@pytest.fixture
def study(tmp_path):
    def lines(name, texts):
        rows = ({"text": text, "label": "xy"[number % 2]} for number, text in enumerate(texts))
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def text(name):
        return " ".join(f"{name}{number}" for number in range(20))

    lines("train", [*(text(f"train{number}x") for number in range(8)), text("test0x")])
    lines("dev", [text(f"dev{number}x") for number in range(6)])
    lines("test", [*(text(f"test{number}x") for number in range(6)), "too short"])
    (tmp_path / "domain.txt").write_text(f"{text('other')}\n{text('before')} {text('test3x')} {text('after')}\n")
    (tmp_path / "study.yaml").write_text(
        "data: {task: {train: train.jsonl, dev: dev.jsonl, test: test.jsonl}, domain: {path: domain.txt, documents: line}}\n"
        "recipes: {one: {base: tfidf}, two: {base: majority}}\n"
    )
    return tmp_path / "study.yaml"


def test_json_is_all_that_is_on_standard_output(acclimate, study):
    ran = acclimate("leaks", study, "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    told = json.loads(ran.stdout)
    first, second = told["leaks"]
    assert first == {
        "corpus": "train", "split": "test", "index": 0, "kind": "exact", "similarity": 1.0, "text": first["found"], "document": 8,
        "place": None, "found": first["found"], "documents": 1,
    }  # fmt: skip
    assert {name: second[name] for name in ("corpus", "split", "index", "kind", "similarity", "document", "place")} == {
        "corpus": "domain", "split": "test", "index": 3, "kind": "contained", "similarity": 1.0, "document": 1,
        "place": f"{study.parent / 'domain.txt'}:2",
    }  # fmt: skip
    assert second["text"].startswith("test3x0 test3x1")
    assert second["found"].startswith("... before8 before9")
    assert second["found"].endswith("[...]")
    assert told["judged"] == {"dev": 6, "test": 7}
    assert told["short"] == {"dev": 0, "test": 1}
    assert told["corpora"]["domain"]["test"] == {"exact": 0, "near": 0, "contained": 1}


def test_people_see_counts_and_examples_and_a_ci_an_exit_code(acclimate, study):
    ran = acclimate("leaks", study, "--fail")
    assert ran.returncode == 1
    assert ["domain", "test", "7", "0", "0", "1", "14.3", "%", "1"] in [line.split() for line in ran.stdout.splitlines()]
    assert "test 0, exact 1.00, in train, row 8" in ran.stdout
    assert f"test 3, contained 1.00, in domain, {study.parent / 'domain.txt'}:2" in ran.stdout
    assert "`leaks: drop` under `data:`" in ran.stdout
    assert "1 text has fewer than 8 words" in ran.stdout
    assert "test3x0" not in acclimate("leaks", study, "--examples", 0).stdout


def test_without_leaks_nothing_fails(acclimate, study):
    (study.parent / "domain.txt").write_text("nothing of it\n")
    for name in ("train", "dev"):
        rows = ({"text": f"{name} {number} alone", "label": "xy"[number % 2]} for number in range(6))
        (study.parent / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert acclimate("leaks", study, "--fail").returncode == 0
    assert json.loads(acclimate("leaks", study, "--json").stdout)["leaks"] == []


def test_a_study_is_refused_whose_corpus_is_the_test_set_and_the_verb_shows_why(acclimate, study):
    file = study.read_text().replace("path: domain.txt, documents: line", "path: test.jsonl, text: text")
    study.write_text(file.replace("test: test.jsonl}", "test: test.jsonl, duplicates: drop}"))
    ran = acclimate("plan", study)
    assert ran.returncode == 2
    assert "the corpus 'domain' is the test set: 7 of the 7 test texts are documents of it" in ran.stderr
    assert json.loads(acclimate("leaks", study, "--json").stdout)["corpora"]["domain"]["test"]["exact"] == 7


def test_a_corpus_of_nothing_but_test_texts_is_shown_also_where_it_is_to_be_dropped(acclimate, study):
    text = study.read_text().replace("path: domain.txt, documents: line}", "path: test.jsonl, text: text}, leaks: drop")
    study.write_text(text.replace("test: test.jsonl}", "test: test.jsonl, duplicates: drop}"))
    ran = acclimate("plan", study)
    assert (ran.returncode, "nothing is left of the corpus 'domain'" in ran.stderr) == (2, True)
    ran = acclimate("leaks", study)
    assert ["domain", "test", "7", "7", "0", "0", "100.0", "%", "7", "(dropped)"] in [line.split() for line in ran.stdout.splitlines()]
    assert "leaks: drop" not in ran.stdout


def test_further_tasks_and_unlabelled_texts_are_looked_through_whatever_stands_in_their_own_splits(acclimate, study):
    task = "{train: train.jsonl, dev: dev.jsonl, test: test.jsonl"
    unlabeled = "unlabeled: {path: domain.txt, documents: line}"
    study.write_text(f"data: {{task: {task}, {unlabeled}}}, tasks: {{same: {task}}}}}}}\nrecipes: {{one: {{base: tfidf}}}}\n")
    told = json.loads(acclimate("leaks", study, "--json").stdout)
    assert list(told["corpora"]) == ["train", "task same", "task unlabeled"]
    assert told["corpora"]["task same"]["test"]["exact"] == 1


def test_where_train_alone_holds_something_nothing_is_to_be_dropped_from_corpora(acclimate, study):
    study.write_text("data: {task: {train: train.jsonl, dev: dev.jsonl, test: test.jsonl}}\nrecipes: {one: {base: tfidf}}\n")
    ran = acclimate("leaks", study)
    assert "in train, row 8" in ran.stdout
    assert "leaks: drop" not in ran.stdout
    study.write_text(study.read_text().replace("data: {", "data: {leaks: drop, "))
    ran = acclimate("plan", study)
    assert ran.returncode == 2
    assert "study.yaml:1:8: data.leaks: `drop` reads corpora without what leaks, and there is none" in ran.stderr


def test_without_a_task_what_the_study_holds_out_is_looked_for(acclimate, study):
    lines = [" ".join(f"w{number}x{word}" for word in range(12)) for number in range(20)]
    (study.parent / "domain.txt").write_text("\n".join([*lines, *map(str.upper, lines)]) + "\n")
    study.write_text("data: {domain: {path: domain.txt, documents: line}}\nrecipes: {one: [pretrain]}\n")
    told = json.loads(acclimate("leaks", study, "--json").stdout)
    assert list(told["corpora"]) == ["domain"]
    assert {leak["kind"] for leak in told["leaks"]} == {"exact"}
