"""Sentences in columns."""

import gzip

import pytest

from acclimate.data.readers.conll import looks_like_sentences
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import Reading
from acclimate.data.readers.records import open_source
from acclimate.errors import DataError


def records(path, encoding=None, skip_bad=False, **columns):
    source = open_source(str(path), path.parent, Reading(encoding=encoding, sentences=True))
    with Problems(skip_bad) as problems:
        return [(record.line, record.values) for record in source.records(columns.get("columns", ()), problems)]


def sentence(*columns, **more):
    return {str(place): column for place, column in enumerate(columns, start=1)} | more


def written(tmp_path, text, name="a.conll"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


CONLL = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O

# the second
Peter NNP I-NP I-PER

-DOCSTART- -X- O O

# SYM O O
"""


def test_columns_lines_and_documents(tmp_path):
    found = records(written(tmp_path, CONLL))
    assert found == [
        (3, sentence(["EU", "rejects"], ["NNP", "VBZ"], ["I-NP", "I-VP"], ["I-ORG", "O"], document="a.conll 1", lines=[3, 4])),
        (7, sentence(["Peter"], ["NNP"], ["I-NP"], ["I-PER"], document="a.conll 1", lines=[7])),
        (11, sentence(["#"], ["SYM"], ["O"], ["O"], document="a.conll 2", lines=[11])),
    ]
    assert open_source(str(tmp_path / "a.conll"), tmp_path).columns == ("1", "2", "3", "4", "document")


@pytest.mark.parametrize("name", ["a.conll", "a.iob", "a.bio", "a.iob2", "a.col", "a.conllu", "a.txt", "a.tsv", "a.testa"])
def test_a_file_is_known_by_its_name_or_by_looking(tmp_path, name):
    assert len(records(written(tmp_path, "EU\tB-ORG\nrejects\tO\n\nPeter\tB-PER\n", name))) == 2


@pytest.mark.parametrize(
    "text", ["one sentence\nanother one\n", "two words\n\nthree more words\n", "text\tlabel\na\tb\nc\td\n", "title\n\nsome words here\n"]
)
def test_other_text_is_not_taken_for_it(tmp_path, text):
    assert not looks_like_sentences(written(tmp_path, text, "a.txt"))


def test_tabs_keep_blanks_and_empty_fields(tmp_path):
    assert records(written(tmp_path, "New York\tB-LOC\n\tO\n"))[0][1]["1"] == ["New York", ""]
    assert records(written(tmp_path, "a  \t O\nb O\n\n", "b.conll"), skip_bad=True) == []
    assert records(written(tmp_path, " a  B-LOC \nb   O\n", "c.conll"))[0][1]["2"] == ["B-LOC", "O"]


def test_blank_lines_end_sentences_also_where_they_hold_blanks(tmp_path):
    text = "\r\n\r\na O\r\nb O\r\n \t \r\n\r\nc O"
    assert [(line, values["1"]) for line, values in records(written(tmp_path, text))] == [(3, ["a", "b"]), (7, ["c"])]


def test_a_line_with_other_columns_is_an_error_at_its_line_and_costs_its_sentence(tmp_path):
    path = written(tmp_path, "a X O\nb X O\n\nc X O\nd O\ne O\n\nf X O\ng X Y O\n\nh X O\n")
    with pytest.raises(DataError) as error:
        records(path)
    assert "a.conll:5: 'd O' has 2 columns, and the first word of the file has 3 (between blanks)" in str(error.value)
    assert "a.conll:9: 'g X Y O' has 4 columns" in str(error.value)
    assert [line for line, _ in records(path, skip_bad=True)] == [1, 11]


def test_fields_between_blanks_in_a_file_of_tabs_are_told(tmp_path):
    with pytest.raises(DataError, match=r"a\.conll:2: 'b O' has 1 column, .* \(between tabs\); its fields seem to stand between blanks"):
        records(written(tmp_path, "a\tO\nb O\n"))


def test_conll_u_is_read_by_its_words(tmp_path):
    rows = ["1-2\tvámonos\t_", "1\tvamos\tVERB", "2\tnos\tPRON", "2.1\tx\tX"]
    text = "# sent_id = 1\n# text = vámonos\n" + "".join(f"{row}{'	_' * 7}\n" for row in rows) + "\n"
    assert [(line, values["2"], values["lines"]) for line, values in records(written(tmp_path, text))] == [(4, ["vamos", "nos"], [4, 5])]


def test_encodings_and_compression_work_as_for_other_files(tmp_path):
    path = tmp_path / "a.conll.gz"
    path.write_bytes(gzip.compress("Müller B-PER\n\nsagt O\n".encode("cp1252")))
    assert records(path, encoding="cp1252")[0][1]["1"] == ["Müller"]
    with pytest.raises(DataError, match=r"a\.conll\.gz:1: byte 0xfc"):
        records(path)
    marked = tmp_path / "b.conll"
    marked.write_bytes("EU B-ORG\n".encode("utf-16"))
    assert records(marked)[0][1]["2"] == ["B-ORG"]


def test_an_endless_sentence_is_refused(tmp_path):
    path = written(tmp_path, "word O\n" * 400)
    source = open_source(str(path), tmp_path, Reading(longest=1 << 10))
    with pytest.raises(DataError, match=r"a\.conll:1: the sentence that begins here is longer than 1,024 bytes"), Problems() as problems:
        list(source.records(("1",), problems))


def test_nothing_is_nothing(tmp_path):
    assert records(written(tmp_path, "\n\n")) == []
    assert records(written(tmp_path, "-DOCSTART- O\n\n", "b.conll")) == []
