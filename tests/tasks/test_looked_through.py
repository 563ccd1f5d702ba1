"""What of dev and test stands in corpora, train and further tasks is counted, said, dropped when told; a test set is refused."""

import json
import random

import pytest

from acclimate.errors import DataError
from acclimate.tasks.opened import Data, DataSettings


def text(name, words=20):
    return " ".join(f"w{random.Random(f'{name} {number}').randrange(10**6)}" for number in range(words))


def changed(sentence):
    words = sentence.split()
    return " ".join([*words[:8], "otherwise", *words[9:]])


TEST, DEV = [text(f"test {number}") for number in range(10)], [text(f"dev {number}") for number in range(6)]
TRAIN = [text(f"train {number}") for number in range(12)]


@pytest.fixture
def root(tmp_path):
    for split, texts in (("train", [*TRAIN, changed(TEST[9])]), ("dev", DEV), ("test", TEST)):
        rows = ({"text": each, "label": "xy"[number % 2]} for number, each in enumerate(texts))
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    documents = [text("one"), TEST[0].upper(), changed(TEST[1]), f"{text('two', 50)} {TEST[2]} {text('three', 50)}", DEV[3], text("four")]
    (tmp_path / "domain.txt").write_text("\n".join(documents) + "\n")
    (tmp_path / "general.txt").write_text(f"{text('five')}\n{text('six')}\n")
    return tmp_path


def opened(root, planned=None, dropping=None, **more):
    data = {"domain": {"path": "domain.txt", "documents": "line"}, "general": "general.txt", **more}
    data["task"] = {"train": "train.jsonl", "dev": "dev.jsonl", "test": "test.jsonl", **more.get("task", {})}
    return Data.open(DataSettings.model_validate(data), root, None, planned, dropping)


def test_leaks_are_counted_by_corpus_split_and_kind_with_their_places(root):
    data = opened(root)
    facts = json.loads(json.dumps(data.facts()["leaks"]))
    assert facts.keys() == {"train", "domain"}  # nothing stands in the general corpus
    assert facts["domain"] == {
        "dev": {"exact": 1, "near": 0, "contained": 0},
        "test": {"exact": 1, "near": 1, "contained": 1},
        "documents": {"exact": 2, "near": 1, "contained": 1},
        "words": {"exact": 40, "near": 20, "contained": 120},
        "dropped": False,
    }
    found = {(leak.split, leak.index): leak for leak in data.found.holdings["domain"].leaks}
    assert {key: (leak.kind, leak.document) for key, leak in found.items()} == {
        ("test", 0): ("exact", 1),
        ("test", 1): ("near", 2),
        ("test", 2): ("contained", 3),
        ("dev", 3): ("exact", 4),
    }
    assert found["test", 2].place == f"{root / 'domain.txt'}:4"
    assert (found["test", 0].text, found["test", 0].found, found["test", 0].similarity) == (TEST[0], TEST[0].upper(), 1.0)
    (leak,) = data.found.holdings["train"].leaks
    assert (leak.split, leak.index, leak.kind, leak.document) == ("test", 9, "near", 12)
    shown = [(each.corpus, each.kind, each.split, each.index) for each in data.found.examples(1)]
    assert shown == [
        ("train", "near", "test", 9),
        *(("domain", kind, "test", row) for row, kind in enumerate(("exact", "near", "contained"))),
    ]
    assert data.facts()["overlap"] == {"domain": 0.2, "general": 0.0}  # as ever: of test, half or more of the 10-grams


def test_leaks_are_said_with_their_mend(root):
    train, domain = (note for note in opened(root).notes() if note.startswith("LEAK"))
    assert train.startswith("LEAK: 1 of the 16 texts that are judged by stand nearly in train: models learn from them")
    assert "4 of the 16 texts that are judged by stand in the corpus 'domain' (2 word for word, 1 nearly, 1 within longer" in domain
    assert "say `leaks: drop` under `data:`" in domain


def test_what_leaks_is_dropped_from_corpora_when_told_and_a_worker_reads_the_same(root):
    kept, dropped = opened(root), opened(root, leaks="drop")
    assert list(dropped.corpora["domain"].documents()) == [text("one"), text("four")]
    assert dropped.corpora["domain"].fingerprint != kept.corpora["domain"].fingerprint
    assert dropped.corpora["general"].fingerprint == kept.corpora["general"].fingerprint
    assert len(dropped.task.train) == len(kept.task.train) == 13  # what is in train stays
    facts = dropped.facts()
    assert facts["leaks"]["domain"] == kept.facts()["leaks"]["domain"] | {"dropped": True}
    assert (facts["corpora"]["domain"]["documents"], facts["corpora"]["domain"]["leaked"]) == (2, 4)
    assert facts["overlap"] == kept.facts()["overlap"]
    assert any("the 4 documents that hold them are not read, 180 words (`leaks: drop`)" in note for note in dropped.notes())
    worker = opened(root, dropped.fingerprints(), dropped.found.dropping, leaks="drop")
    assert list(worker.corpora["domain"].documents()) == [text("one"), text("four")]


def test_unlabelled_texts_of_the_task_are_looked_through_and_dropped_from_too(root):
    (root / "more.txt").write_text(f"{TEST[5]}\n{text('seven')}\n")
    task = {"unlabeled": {"path": "more.txt", "documents": "line"}}
    kept = opened(root, task=task)
    assert kept.facts()["leaks"]["task unlabeled"]["test"]["exact"] == 1
    dropped = opened(root, task=task, leaks="drop")
    assert list(dropped.documents("task").documents()) == [*kept.task.train.documents(), text("seven")]
    assert dropped.documents("task").fingerprint != kept.documents("task").fingerprint
    worker = opened(root, dropped.fingerprints(), dropped.found.dropping, task=task, leaks="drop")
    assert list(worker.documents("task").documents()) == list(dropped.documents("task").documents())


def test_a_corpus_that_is_the_test_set_is_an_error_unless_it_is_read_without(root):
    (root / "domain.txt").write_text("\n".join([*TEST[:4], *map(changed, TEST[4:6]), text("one")]) + "\n")
    with pytest.raises(
        DataError, match=r"the corpus 'domain' is the test set: 6 of the 10 test texts are documents of it; .*`leaks: drop`"
    ):
        opened(root).refuse_test_sets()
    dropped = opened(root, leaks="drop")
    dropped.refuse_test_sets()
    assert list(dropped.corpora["domain"].documents()) == [text("one")]
    with pytest.raises(DataError, match=r"'domain' is the test set: 10 of the 10 .*test\.jsonl is read as both"):
        opened(root, domain="test.jsonl").refuse_test_sets()
    with pytest.raises(DataError, match="nothing is left of the corpus 'domain'"):
        opened(root, domain="test.jsonl", leaks="drop")


def test_a_long_text_that_contains_the_whole_test_set_is_said_and_no_error(root):
    (root / "domain.txt").write_text(" ".join([text("one"), *TEST, text("two")]) + "\n")
    data = opened(root)
    data.refuse_test_sets()
    assert data.facts()["leaks"]["domain"]["test"]["contained"] == 10


def test_of_pairs_each_text_is_looked_for_in_a_corpus_and_both_in_train(root):
    for split, texts in (("train", [*TRAIN, TEST[0], text("other"), TEST[9], changed(TEST[8])]), ("dev", DEV), ("test", TEST)):
        rows = (
            {"a": one, "b": other, "label": "xy"[number % 2]}
            for number, (one, other) in enumerate(zip(texts[::2], texts[1::2], strict=True))
        )
        (root / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "domain.txt").write_text("\n".join([TEST[3], TEST[4], TEST[5], text("one")]) + "\n")
    data = opened(root, task={"kind": "pair", "text": "a", "text_b": "b"})
    leaks = data.found.holdings["domain"].leaks
    assert [(leak.index, leak.kind, leak.text) for leak in data.found.holdings["train"].leaks] == [(4, "near", TEST[8])]
    assert [(leak.index, leak.kind, leak.text) for leak in leaks] == [(1, "exact", TEST[3]), (2, "exact", TEST[4])]


def test_a_pair_is_dropped_from_a_corpus_for_either_of_its_texts_and_the_test_set_are_its_pairs(root):
    for split, texts in (("train", TRAIN), ("dev", DEV), ("test", TEST)):
        rows = (
            {"a": one, "b": other, "label": "xy"[number % 2]}
            for number, (one, other) in enumerate(zip(texts[::2], texts[1::2], strict=True))
        )
        (root / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def with_pairs(*rows, **more):
        (root / "pairs.jsonl").write_text("".join(json.dumps({"a": one, "b": other}) + "\n" for one, other in rows))
        return opened(root, task={"kind": "pair", "text": "a", "text_b": "b"}, transfer={"path": "pairs.jsonl", "text_b": "b"}, **more)

    kept = (text("one"), text("two"))
    rows = [(TEST[0], text("other")), (text("more"), changed(TEST[1])), (TEST[2], TEST[3]), kept]
    data = with_pairs(*rows, leaks="drop")
    corpus = data.corpora["transfer"]
    assert [*zip(*([*corpus.column(number).documents()] for number in (0, 1)), strict=True)] == [kept]
    facts = data.facts()["corpora"]["transfer"]
    assert (facts["pairs"], facts["documents"], facts["leaked"]) == (1, 2, 3)
    assert any(
        "the 4 documents that hold them are not read, 80 words, with the 3 pairs that they stand in" in note for note in data.notes()
    )
    again = with_pairs(*rows, planned=data.fingerprints(), dropping=data.found.dropping, leaks="drop").corpora["transfer"]
    assert [*again.documents()] == [*kept]
    with pytest.raises(
        DataError, match="nothing is left of the corpus 'transfer': in each of its pairs a text holds what models are judged"
    ):
        with_pairs(*rows[:3], leaks="drop")

    # First texts are shared on purpose: those of test beside other ones are not its pairs.
    with_pairs(*((one, text(f"beside {one}")) for one in TEST[::2]), kept).refuse_test_sets()
    with pytest.raises(DataError, match="the corpus 'transfer' is the test set: 3 of the 5 test pairs are pairs of it"):
        with_pairs(*zip(TEST[:6:2], TEST[1:6:2], strict=True), kept).refuse_test_sets()


def test_pairs_stand_in_train_only_where_one_pair_there_holds_both_texts(root):
    shared, short = text("premise"), "a man is asleep"
    pairs = {
        "train": [(shared, "they run"), (text("else"), short), (TEST[1].upper(), "it rains here"), (TEST[1], "it rains here")],
        "dev": [(DEV[0], "so it is"), (DEV[1], "it is not")],
        "test": [(shared, short), (TEST[1], "It rains here")],
    }
    for split, rows in pairs.items():
        made = ({"a": one, "b": other, "label": "xy"[number % 2]} for number, (one, other) in enumerate(rows))
        (root / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    holding = opened(root, task={"kind": "pair", "text": "a", "text_b": "b"}).found.holdings["train"]
    assert [(leak.index, leak.kind, leak.document, leak.documents) for leak in holding.leaks] == [(1, "exact", 2, 2)]
    assert (holding.documents, holding.words) == ({"exact": 2, "near": 0, "contained": 0}, {"exact": 46, "near": 0, "contained": 0})


def test_held_out_documents_are_looked_for_in_corpora_and_in_no_train(root):
    (root / "domain.txt").write_text("\n".join(text(f"held {number}") for number in range(40)) + "\n")
    domain = {"path": "domain.txt", "documents": "line"}
    data = Data.open(DataSettings.model_validate({"domain": domain, "task": {"kind": "perplexity", "on": ["domain"]}}), root)
    assert list(data.found.holdings) == ["domain"]


def test_conversations_are_looked_for_and_read_as_what_their_messages_say(tmp_path):
    def chat(name):
        return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text(name)}]

    for split, names in (("train", TRAIN), ("dev", DEV), ("test", TEST)):
        rows = ({"messages": [*chat(name), {"role": "assistant", "content": "yes"}]} for name in names)
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "domain.txt").write_text("\n".join((text("one"), f"He said: be brief. {text(TEST[2])} {text('three', 50)}")) + "\n")
    (tmp_path / "general.txt").write_text(f"{text('five')}\n")
    data = opened(tmp_path, task={"kind": "generate"})
    assert [(leak.split, leak.index, leak.kind) for leak in data.found.holdings["domain"].leaks] == [("test", 2, "contained")]
    assert [*data.documents("task").documents()] == [f"Be brief.\n{text(name)}" for name in TRAIN]
    # The form decides, too: who speaks, and where one message ends.
    train = data.task.train
    assert train.take(train.index[3:5]).plain == (f"Be brief.\n{text(TRAIN[3])}", f"Be brief.\n{text(TRAIN[4])}")
    assert train.text_fingerprint != train.documents_fingerprint
