"""The kind `tag`: how sentences and their tags are read, and what is said of those that cannot be used."""

import pytest
from pydantic import ValidationError

from acclimate.data.ragged import Ragged
from acclimate.errors import DataError, SettingsError
from acclimate.tasks.tag import Tag
from acclimate.tasks.task import Task

from .tagged_files import CONLL, error_of, marked_rows, opened, sentences, tags_of, words_in, write


def test_words_are_joined_by_one_space_and_have_their_places(tmp_path):
    task = opened(tmp_path)
    assert task.names == ("O", "B-PER", "I-PER")
    assert task.train.inputs[0][0].startswith("A w")
    for split in task.splits.values():
        assert all(words_in(split, row) == split.inputs[0][row].split(" ") for row in range(len(split)))
        assert isinstance(split.gold, Ragged)
        assert split.words.lengths.tolist() == split.gold.lengths.tolist()


@pytest.mark.parametrize(("tokens", "tags"), [("words", "ner_tags"), ("tokens", "labels"), ("Tokens", "NER"), ("words", "iob")])
def test_columns_are_found_by_their_usual_names(tmp_path, tokens, tags):
    rows = [{"id": n, tags: row["tags"], tokens: row["tokens"], "text": " ".join(row["tokens"])} for n, row in enumerate(sentences())]
    facts = opened(tmp_path, rows).facts
    assert facts.detected["tokens"] == tokens
    assert facts.detected["tags"] == tags
    assert facts.detected["scheme"] == "IOB2"


def test_one_of_several_columns_of_tags_can_be_named(tmp_path):
    rows = [{**row, "pos_tags": ["DET", "NOUN", "X"]} for row in sentences()]
    assert opened(tmp_path, rows).facts.detected["tags"] == "tags"
    task = opened(tmp_path, rows, tags="pos_tags")
    assert task.facts.detected["scheme"] == "plain"
    assert task.names == ("DET", "NOUN", "X")
    assert task.kind.counts(task.test.gold, task.names) == {"DET": 6, "NOUN": 6, "X": 6}


def test_every_scheme_becomes_iob2(tmp_path):
    other = {"tokens": ["x", "y"], "tags": ["I-PER", "B-PER"]}
    rows = [{**row, "tags": [tag.replace("B-", "I-") for tag in row["tags"]]} for row in sentences()]
    task = opened(tmp_path, [*rows, other])
    assert task.facts.detected["scheme"] == "IOB1"
    assert tags_of(task)["x y"] == ["B-PER", "B-PER"]
    assert tags_of(task)["A w3 b"] == ["B-PER", "I-PER", "O"]
    assert "orphan" not in str(task.facts.problems)
    task = opened(tmp_path, [*rows, other], scheme="iobes", repair=True)
    assert task.kind.scheme == "BIOES"
    assert "scheme" not in task.facts.detected


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "'tokens' has 2 words and 'tags' 1 tags: every word needs one"),
        ({"tokens": [], "tags": []}, "'tokens' is empty: there is no word"),
        ({"tokens": ["a", ""], "tags": ["O", "O"]}, "'tokens' has an empty string as token 2"),
        ({"tokens": ["New York"], "tags": ["O"]}, "'tokens' has 'New York', which holds white space, as token 1"),
        ({"tokens": ["a", 1], "tags": ["O", "O"]}, "'tokens' has int as token 2; a string is wanted"),
        ({"tokens": "a b", "tags": ["O", "O"]}, "'tokens' is str, a list of words is wanted"),
        ({"tokens": ["a"], "tags": "O"}, "'tags' is 'O'; a list with a tag for every word is wanted"),
        ({"tokens": ["a"], "tags": [None]}, "'tags' has None as tag 1: it is missing"),
        ({"tokens": ["a"], "tags": ["nan"]}, "'tags' has 'nan' as tag 1: it is missing"),
        ({"tokens": ["a"], "tags": [1.5]}, "'tags' has 1.5 as tag 1: a name is wanted"),
        (
            {"tokens": ["a"], "tags": [3]},
            "'tags' holds numbers without names, tag 1 is 3: name them in their order with `labels: [O, B-PER",
        ),
        ({"tokens": ["a"], "tags": ["0"]}, "'0' is no tag of IOB2 — 'O' (the letter) meant?"),
        ({"tokens": ["a\ud83d"], "tags": ["O"]}, "holds half of a surrogate pair at character 2"),
        ({"tokens": ["a", "b"], "tags": ["O", "I-PER"]}, "tag 2, of 'b': 'I-PER' stands after 'O', where IOB2 begins an entity with B- "),
        ({"tokens": ["a"]}, "no 'tags'; it has 'tokens'"),
    ],
)
def test_what_is_no_sentence_is_told_with_file_and_line_and_can_be_skipped(tmp_path, extra, message):
    found = error_of(tmp_path, extra)
    assert f"{tmp_path}/all.jsonl:31: " in found
    assert message in found
    assert opened(tmp_path, extra=[extra], skip_bad=True).facts.rejected == 1


def test_orphans_are_repaired_and_counted_where_that_is_asked(tmp_path):
    extra = {"tokens": ["a", "b", "c"], "tags": ["I-PER", "O", "I-PER"]}
    assert "(`repair: true` reads it as 'B-PER'; if the file is IOB1, say `scheme: IOB1`)" in error_of(tmp_path, extra)
    task = opened(tmp_path, extra=[extra], repair=True)
    assert tags_of(task)["a b c"] == ["B-PER", "O", "B-PER"]
    assert "train: 2 tags that stood against the scheme were repaired in 1 sentence" in task.facts.labels_noted
    alone = opened(tmp_path, extra=[{"tokens": ["a", "b"], "tags": ["O", "I-PER"]}], repair=True)
    assert "train: 1 tag that stood against the scheme was repaired in 1 sentence" in alone.facts.labels_noted
    assert tags_of(opened(tmp_path, extra=[extra], scheme="IOB1"))["a b c"] == ["B-PER", "O", "B-PER"]


def test_a_scheme_that_is_not_clear_must_be_said(tmp_path):
    rows = [{"tokens": ["a", f"w{n}"], "tags": ["O", "B-X" if n % 2 else "I-X"]} for n in range(30)]
    with pytest.raises(DataError, match=r"all\.jsonl:1: 15 entities begin with B-, as in IOB2, and 15 with I-, as in IOB1, e\.g\. 'I-X'"):
        opened(tmp_path, rows)


def test_types_that_differ_in_case_alone_are_told(tmp_path):
    odd = {"tokens": ["x", "y"], "tags": ["B-per", "O"]}
    assert "all.jsonl: 'PER' (30), 'per' (1); where all of these are types, name them with `labels:`" in error_of(tmp_path, odd)
    assert opened(tmp_path, extra=[odd], labels=["PER", "per"]).names == ("O", "B-PER", "I-PER", "B-per", "I-per")


def test_columns_without_a_usual_name_are_asked_for(tmp_path):
    rows = [{"sentence": row["tokens"], "gold": row["tags"]} for row in sentences()]
    with pytest.raises(
        DataError, match=r"name them with `tokens:` and `tags:`, or with `text:` and `spans:`; the columns are 'sentence', 'gold'"
    ):
        opened(tmp_path, rows)
    assert opened(tmp_path, rows, tokens="sentence", tags="gold").names == ("O", "B-PER", "I-PER")


def test_types_that_train_does_not_have_are_told(tmp_path):
    write(tmp_path / "train.jsonl", sentences())
    write(tmp_path / "test.jsonl", [*sentences(5, 100), {"tokens": ["x"], "tags": ["B-per"]}])
    with pytest.raises(
        DataError, match=r"test\.jsonl:6: the test type 'per' \(of 'x'\) is never seen in train, which has \{'PER'\} — 'PER' meant\?"
    ):
        Task.open(Tag(train="train.jsonl", test="test.jsonl"), tmp_path)
    assert len(Task.open(Tag(train="train.jsonl", test="test.jsonl", skip_bad=True), tmp_path).test) == 5


def test_where_there_is_nothing_to_learn_it_is_told(tmp_path):
    with pytest.raises(DataError, match="every tag in train is 'O': there is nothing to learn"):
        opened(tmp_path, [{**row, "tags": ["O"] * 3} for row in sentences()])
    with pytest.raises(DataError, match="every tag in train is 'X': there is nothing to learn"):
        opened(tmp_path, [{**row, "tags": ["X"] * 3} for row in sentences()], scheme="plain")
    with pytest.raises(DataError, match=r"no tag is 'O' \(the letter\), and '_' may stand for it"):
        opened(tmp_path, [{**row, "tags": ["PER", "_", "_"]} for row in sentences()])


@pytest.mark.parametrize("tags", [["O"] * 3, [], None])
def test_a_test_whose_tags_are_hidden_is_no_test(tmp_path, tags):
    write(tmp_path / "train.jsonl", sentences())
    write(tmp_path / "test.jsonl", [{**row, "tags": tags} for row in sentences(5, 100)])
    with pytest.raises(DataError, match=r"the test split has no labels \(.*\); leave out `test:`"):
        Task.open(Tag(train="train.jsonl", test="test.jsonl"), tmp_path)


@pytest.mark.parametrize(
    ("name", "scheme", "entities"),
    [
        # As Tjong Kim Sang & De Meulder (2003) count them: 1,668 places, 702 others, 1,661 organizations and 1,617 persons in test.
        ("ner_conll2003", "IOB1 (2 of 23,429 entities begin with B- where IOB1 has I-)", (1668, 702, 1661, 1617)),
        ("ner_sec_filings", "IOB1", (39, 7, 56, 216)),
        ("ner_wnut17", "IOB2", (66, 142, 165, 150, 429, 127)),
        ("ner_ncbi_disease", "IOB2", (960,)),
    ],
)
@pytest.mark.measured(0)
def test_real_data_have_the_entities_that_they_are_known_for(shared, name, scheme, entities):
    task = Task.open(Tag(path=name, duplicates="keep"), shared / "tasks")
    assert task.facts.detected["scheme"] == scheme
    assert tuple(task.facts.label_counts["test"].values()) == entities


def test_a_sentence_may_be_as_long_as_it_likes(tmp_path):
    long = {"tokens": [f"w{n}" for n in range(5_000)], "tags": ["O", "B-PER"] * 2_500}
    task = opened(tmp_path, extra=[long])
    assert max(map(len, tags_of(task).values())) == 5_000


def test_numbers_are_tags_where_labels_name_them(tmp_path):
    numbered = [{**row, "tags": [1, 2, 0]} for row in sentences()]
    task = opened(tmp_path, numbered, labels=["O", "B-PER", "I-PER"])
    assert task.names == ("O", "B-PER", "I-PER")
    assert tags_of(task)["A w3 b"] == ["B-PER", "I-PER", "O"]
    message = "has the number 3 as tag 1, and `labels:` names 3, counted from 0"
    assert message in error_of(tmp_path, {"tokens": ["a"], "tags": [3]}, rows=numbered, labels=["O", "B-PER", "I-PER"])
    with pytest.raises(DataError, match="numbers without names; name them in order with `labels:"):
        opened(tmp_path, [{**row, "tags": ["1", "2", "0"]} for row in sentences()])


@pytest.mark.parametrize("kind", ["dataset", "parquet"])
def test_sequences_of_class_labels_have_their_names(tmp_path, kind):
    datasets = pytest.importorskip("datasets")
    tags = datasets.Sequence(datasets.ClassLabel(names=["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]))
    features = datasets.Features({"tokens": datasets.Sequence(datasets.Value("string")), "ner_tags": tags})
    rows = [{"tokens": row["tokens"], "ner_tags": [1, 2, 0]} for row in sentences()]
    made = datasets.Dataset.from_list(rows, features=features)
    if kind == "dataset":
        made.save_to_disk(tmp_path / "data")
    else:
        made.to_parquet(tmp_path / "data.parquet")
    task = Task.open(Tag(path="data" if kind == "dataset" else "data.parquet"), tmp_path)
    assert tags_of(task)["A w3 b"] == ["B-PER", "I-PER", "O"]
    assert task.facts.detected["tags"] == "ner_tags"


def test_a_closed_set_of_types_has_its_order_and_refuses_others(tmp_path):
    assert opened(tmp_path, labels=["ORG", "PER"]).names == ("O", "B-ORG", "I-ORG", "B-PER", "I-PER")
    assert opened(tmp_path, labels=["O", "B-ORG", "B-PER"]).names == ("O", "B-ORG", "I-ORG", "B-PER", "I-PER")
    message = "type 'LOC' is not among {'ORG', 'PER'}"
    assert message in error_of(tmp_path, {"tokens": ["a"], "tags": ["B-LOC"]}, labels=["ORG", "PER"])


def test_conll_is_read_from_a_folder_with_its_documents(tmp_path):
    for n, split in enumerate(("train", "dev", "test")):
        (tmp_path / f"{split}.txt").write_text(CONLL.replace(" NNP", f"{n} NNP", 1).replace("w", f"w{n}"))
    task = Task.open(Tag(path=".", group="document", duplicates="keep"), tmp_path)
    detected = {"format": "conll", "tokens": "column 1", "tags": "column 4", "scheme": "IOB1"}
    assert task.facts.detected == detected
    assert task.facts.examples == {"train": 30, "dev": 30, "test": 30}
    assert task.facts.groups == {"train": 30, "dev": 30, "test": 30}
    assert task.names == ("O", "B-ORG", "I-ORG", "B-PER", "I-PER")
    chunks = Task.open(Tag(path=".", tags=3, duplicates="keep"), tmp_path)
    assert chunks.names == ("O", "B-NP", "I-NP")


def test_errors_in_columns_name_the_line_of_the_word(tmp_path):
    (tmp_path / "train.conll").write_text("".join(f"a B-X\nw{n} O\n\n" for n in range(30)) + "a O\nb O\nc I-X\n")
    with pytest.raises(DataError, match=r"train\.conll:93: 'I-X' stands after 'O', where IOB2 begins an entity with B-"):
        Task.open(Tag(path="train.conll"), tmp_path)
    with pytest.raises(DataError, match=r"no column '3' for the tags; they are counted from 1, and there are 2"):
        Task.open(Tag(path="train.conll", tags=3), tmp_path)
    with pytest.raises(DataError, match="the column '1' cannot be both tokens and tags"):
        Task.open(Tag(path="train.conll", tags=1), tmp_path)


def test_a_file_without_blank_lines_is_one_sentence_and_told_so(tmp_path):
    (tmp_path / "train.conll").write_text("Ann B-X\nleft O\n" * 30)
    with pytest.raises(DataError, match="this is one sentence: does a blank line stand behind every one"):
        Task.open(Tag(path="train.conll"), tmp_path)


def test_a_column_of_words_is_not_taken_for_tags(tmp_path):
    (tmp_path / "train.conll").write_text("".join(f"a B-X lemma{n}\nw{n} O word{n}\n\n" for n in range(2_000)))
    with pytest.raises(DataError, match=r"'3' holds 4,000 different tags in 4,000 words; name the column of tags with `tags:`"):
        Task.open(Tag(path="train.conll"), tmp_path)
    assert Task.open(Tag(path="train.conll", tags=2), tmp_path).names == ("O", "B-X", "I-X")


def test_columns_of_conll_u_are_words_and_parts_of_speech(tmp_path):
    rest = "\t_" * 6
    text = "".join(f"# text = a w{n}\n1\ta\ta\tDET{rest}\n2\tw{n}\tw\tNOUN{rest}\n\n" for n in range(30))
    (tmp_path / "train.conllu").write_text(text)
    task = Task.open(Tag(path="train.conllu"), tmp_path)
    assert task.facts.detected == {"format": "conll", "tokens": "column 2", "tags": "column 4", "scheme": "plain"}
    assert task.names == ("DET", "NOUN")


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(ValidationError, match="say those of one of them"):
        Tag(path="x", tokens="words", spans="marks")
    with pytest.raises(ValidationError, match="IOB1"):
        Tag(path="x", scheme="IOB")
    with pytest.raises(SettingsError, match="cannot answer tag"):
        Tag().head(("O",), "sequence")


def test_labels_may_be_written_as_tags_or_as_types_whatever_the_types_are_called(tmp_path):
    for labels in (["O", "B-PER", "I-PER"], ["PER"], ["B-PER"]):
        assert opened(tmp_path, marked_rows(), labels=labels).names == ("O", "B-PER", "I-PER")
        assert opened(tmp_path, labels=labels).names == ("O", "B-PER", "I-PER")
    cells = [{**row, "tags": [tag.replace("PER", "B-cell") for tag in row["tags"]]} for row in sentences()]
    assert opened(tmp_path, cells, labels=["T-cell", "B-cell"]).names == ("O", "B-T-cell", "I-T-cell", "B-B-cell", "I-B-cell")


def test_plain_tags_have_no_o(tmp_path):
    rows = [{**row, "tags": ["DET", "NOUN", "O"]} for row in sentences()]
    with pytest.raises(DataError, match=r"all\.jsonl:1: tag 3, of 'b': 'O' says that a word belongs to no entity"):
        opened(tmp_path, rows, scheme="plain")


def test_a_text_file_of_a_tag_task_is_told_to_be_read_as_columns(tmp_path):
    (tmp_path / "all.txt").write_text("a b c\n" * 30)
    with pytest.raises(DataError, match="say `format: conll` if it has a word and its tag a line"):
        Task.open(Tag(path="all.txt"), tmp_path)
