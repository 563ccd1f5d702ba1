"""What a table's own head shows is seen and told; what it does not show is asked for; no row is lost without a word."""

import csv
import io

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import Reading
from acclimate.data.readers.records import open_source
from acclimate.errors import DataError
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Task


def read(path, columns=("text",), **how):
    source = open_source(str(path), path.parent, Reading(**how))
    with Problems() as problems:
        return [tuple(record.values[name] for name in columns) for record in source.records(columns, problems)], source.detected


def write(path, content):
    path.write_bytes(content.encode())
    return path


SPEECH = ["label\ttext", "pos\tshe came", 'neg\t"I am here.', "pos\tNobody spoke.", 'neg\tI go."', 'pos\t"Yes."', "neg\tthe end"]


@pytest.mark.parametrize("lines", [SPEECH, ["\t".join(reversed(line.split("\t"))) for line in SPEECH]], ids=["text last", "text first"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_tsv_without_quoting_keeps_every_row(tmp_path, lines, end):
    rows, detected = read(write(tmp_path / "a.tsv", end.join(lines) + end), ("label", "text"))
    assert rows == [tuple(line.split("\t")) for line in SPEECH[1:]]
    assert detected["quoting"] == "none"


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_a_tsv_with_quoted_fields_is_read_as_such(tmp_path, quoting):
    rows = [("one\ntwo", "x"), ('say "hi"', "y"), ("a\tb", "x"), ("plain", "y")]
    stream = io.StringIO()
    csv.writer(stream, delimiter="\t", quoting=quoting).writerows([("text", "label"), *rows])
    read_rows, detected = read(write(tmp_path / "a.tsv", stream.getvalue()), ("text", "label"))
    assert [(text.replace("\r\n", "\n"), label) for text, label in read_rows] == rows
    assert detected["quoting"] == "quotes"


def test_where_it_cannot_be_told_whether_a_quote_spans_lines_it_is_asked(tmp_path):
    path = write(tmp_path / "a.tsv", 'text\nplain\n"He came.\nShe went."\n')
    with pytest.raises(DataError, match=r"a\.tsv:3: are quotes letters.*line 4 .*say `quoting: none`, or `quoting: quotes`"):
        read(path)
    assert read(path, quoting="none")[0] == [("plain",), ('"He came.',), ('She went."',)]
    assert read(path, quoting="quotes")[0] == [("plain",), ("He came.\nShe went.",)]


def test_quotes_that_contradict_each_other_are_asked_about(tmp_path):
    with pytest.raises(DataError, match=r"a\.tsv:2: are quotes letters.*line 3"):
        read(write(tmp_path / "a.tsv", 'text\tid\nsay "no" to it\t1\n"say ""hi"""\t2\n'))
    with pytest.raises(DataError, match=r"a\.csv:2: a quote opens here and closes in line 3, but line 4 has quotes inside"):
        read(write(tmp_path / "a.csv", 'text\n"He came.\nShe went."\nand said "no" to it\n'))


def test_a_quoted_field_far_below_the_head_is_not_taken_for_letters(tmp_path):
    path = write(tmp_path / "a.tsv", "text\tlabel\n" + "plain\tx\n" * 2000 + '"say ""hi"""\tx\n')
    with pytest.raises(DataError, match=r"a\.tsv:2002: .*seems to be a quoted one; say `quoting: quotes`"):
        read(path)
    assert len(read(path, quoting="none")[0]) == 2001


def test_a_quote_that_swallows_rows_of_a_csv_is_found_with_its_line(tmp_path):
    lines = ["label,text", "pos,she came", "neg,he went", 'neg,"I am here.', "pos,Nobody spoke", 'neg,I go."', "pos,the end", "neg,no"]
    path = write(tmp_path / "a.csv", "\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"swallowed rows \(1\):\n  .*a\.csv:4: a quote opens here and closes in line 6.*`quoting: none`"):
        read(path)
    assert len(read(path, quoting="none")[0]) == 7
    assert read(path, quoting="quotes")[0][2] == ('I am here.\npos,Nobody spoke\nneg,I go.',)  # fmt: skip


def test_rows_that_begin_with_codes_are_told_from_lines_of_a_text(tmp_path):
    path = write(
        tmp_path / "a.csv", "id,text\n" + "".join(f"a{n}x,{line}\n" for n, line in enumerate(["no", '"I came.', "she", 'he left."', "x"]))
    )
    with pytest.raises(DataError, match=r"swallowed rows \(1\):\n  .*a\.csv:3: a quote opens here and closes in line 5"):
        read(path)


def test_fields_of_several_lines_are_told(tmp_path):
    rows, detected = read(write(tmp_path / "a.csv", 'text\n"He came.\nShe went."\n'))
    assert rows == [("He came.\nShe went.",)]
    assert detected["quoting"] == "quotes, with fields of several lines"


def test_texts_of_several_lines_with_commas_are_no_reason_for_suspicion(tmp_path):
    rows = [("Dear Bob,\nthanks, really\nyours, Ann", "ham"), ("Hello, Bob\nsee you", "spam"), ("a, b", "ham"), ("c", "spam")]
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([("text", "label"), *rows])
    assert read(write(tmp_path / "a.csv", stream.getvalue()), ("text", "label"))[0] == rows


@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ";"), ("a.csv", "|"), ("a.csv", "\t"), ("a.tsv", ","), ("a.tsv", ";")])
@pytest.mark.parametrize("texts", [["good", "bad one"], ["good; really, yes", 'say "hi"']], ids=["plain", "quoted"])
def test_another_delimiter_is_seen_and_told(tmp_path, name, delimiter, texts):
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter).writerows([("id", "text"), *enumerate(texts)])
    rows, detected = read(write(tmp_path / name, stream.getvalue()))
    assert rows == [(text,) for text in texts]
    assert detected["delimiter"] == ("a tab" if delimiter == "\t" else repr(delimiter))


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "sep=;;", "\n\n", ";;\n"])
def test_excels_first_line_and_empty_lines_are_no_header(tmp_path, first):
    assert read(write(tmp_path / "a.csv", first + "\r\nid;text\r\n1;good\r\n2;bad\r\n"))[0] == [("good",), ("bad",)]


def test_a_delimiter_that_is_not_clear_is_asked_for(tmp_path):
    path = write(tmp_path / "a.csv", "id;text\n1;good\n2;b;ad\n3;so;so\n4;x\n")
    with pytest.raises(DataError, match=r"a\.csv:1: what separates the columns is not clear.*say `delimiter: ;` or `delimiter: ,`"):
        read(path)
    write(path, "Well, a film;pos\n" + "So, it goes;neg\n" * 5)
    with pytest.raises(DataError, match=r"is not clear: ',' gives 2, in 100% of the rows; ';' gives 2, in 100% of the rows"):
        read(path, header=False)


def test_a_title_above_the_table_is_no_header(tmp_path):
    path = write(tmp_path / "a.csv", "Survey\nid;answer\n" + "1;good\n" * 6)
    with pytest.raises(DataError, match=r"a\.csv:1: the first row has one field, but the rows below have 2, separated by ';'; remove it"):
        read(path)


def test_a_header_in_the_middle_of_a_corpus_is_no_document(tmp_path):
    path = write(tmp_path / "a.csv", "text,id\none,1\n\ufefftext,id\ntwo,2\n")
    with pytest.raises(DataError, match=r"a\.csv:3: the row repeats the header"):
        Corpus.open("c", CorpusSettings(path=str(path)), tmp_path).scan()


@pytest.mark.parametrize(
    "header",
    ["the lovely cake was bright", "What a film!", "so nice", "12", "https://a.b", "这部电影真的非常好看极了", "fine, but long"],
)
def test_a_text_is_not_taken_for_the_name_of_the_only_column(tmp_path, header):
    path = write(tmp_path / "a.tsv", f"{header}\none\ntwo\n")
    with pytest.raises(DataError, match=r"a\.tsv:1: the header has one column .*is this a text\? Say `header: false`"):
        Corpus.open("c", CorpusSettings(path=str(path), delimiter="tab"), tmp_path)
    assert list(Corpus.open("c", CorpusSettings(path=str(path), delimiter="tab", header=False), tmp_path).documents()) == [
        header,
        "one",
        "two",
    ]
    assert list(Corpus.open("c", CorpusSettings(path=str(path), delimiter="tab", text=header), tmp_path).documents()) == ["one", "two"]


@pytest.mark.parametrize("header", ["text", "Review Text", "tweet", "utterance_1", "Kommentar", "clean.text", "body (text)"])
def test_a_name_is_taken_for_the_name_of_the_only_column(tmp_path, header):
    corpus = Corpus.open("c", CorpusSettings(path=str(write(tmp_path / "a.csv", f"{header}\none\n"))), tmp_path)
    assert corpus.detected["text"] == header


def test_a_task_without_a_header_is_refused_with_the_mend_and_read_with_it(tmp_path):
    path = write(tmp_path / "a.tsv", "".join(f"{'ham' if n % 2 else 'spam'}\tGo until jurong point, number {n}.\n" for n in range(40)))
    with pytest.raises(
        DataError, match=r"a\.tsv:1: the header names the columns 'spam', 'Go until.*is this a row of data.*`header: false`"
    ):
        Task.open(Classify(path=str(path)), tmp_path)
    with pytest.raises(
        DataError, match=r"which column is the label\? Name it with `label:`; the columns are '1' \('spam' in the first row\)"
    ):
        Task.open(Classify(path=str(path), header=False), tmp_path)
    task = Task.open(Classify(path=str(path), header=False, text="2", label="1"), tmp_path)
    assert sum(task.facts.examples.values()) == 40


def test_columns_without_a_name_or_of_one_name_that_nobody_asked_for_are_no_reason_to_refuse(tmp_path):
    path = write(tmp_path / "a.csv", "v1,v2,x,x,,\nham,hello,1,2,,\nspam,win,1,2\nham,no,1,2,,,,\n")
    assert read(path, ("v1", "v2"))[0] == [("ham", "hello"), ("spam", "win"), ("ham", "no")]
    with pytest.raises(DataError, match=r"a\.csv:1: the header names 'x' more than once"):
        read(path, ("x",))
    assert Corpus.open("c", CorpusSettings(path=str(write(tmp_path / "b.csv", ",foo\n0,a\n"))), tmp_path).detected["text"] == "foo"


LETTERS = st.characters(codec="utf-8", exclude_characters="\0\ufeff")
FIELDS = st.text(LETTERS | st.sampled_from('";,\t|\n\r \x85\u2028'), max_size=12)


@given(
    st.lists(st.tuples(FIELDS, FIELDS, st.sampled_from(["x", "y"])), min_size=1, max_size=6),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["a.csv", "a.tsv"]),
)
@settings(max_examples=80, deadline=None)
def test_rows_of_any_writer_come_back_equal_or_are_refused(tmp_path_factory, rows, delimiter, quoting, end, name):
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows([("id", "text", "label"), *rows])
    path = write(tmp_path_factory.mktemp("any") / name, stream.getvalue())
    wanted = [tuple(field.replace("\r\n", "\n") for field in row) for row in rows]
    try:
        found = read(path, ("id", "text", "label"))[0]
    except DataError:
        # Python's own writer leaves a bare carriage return unquoted where it ends no line, which nobody can read.
        assume(end == "\r\n" or not any("\r" in field for row in rows for field in row))
        # Otherwise what is stated leaves no doubt.
        found = read(path, ("id", "text", "label"), delimiter=delimiter, quoting="quotes")[0]
    assert [tuple(field.replace("\r\n", "\n") for field in row) for row in found] == wanted


@given(
    st.lists(
        st.tuples(st.sampled_from(["x", "y"]), st.text(LETTERS | st.sampled_from('"" .'), min_size=1, max_size=12)), min_size=1, max_size=8
    )
)
@settings(max_examples=80, deadline=None)
def test_rows_of_a_tsv_without_quoting_come_back_equal_or_are_refused(tmp_path_factory, rows):
    assume(not any(letter in text for _, text in rows for letter in "\t\r\n"))
    path = write(tmp_path_factory.mktemp("any") / "a.tsv", "label\ttext\n" + "".join(f"{label}\t{text}\n" for label, text in rows))
    try:
        found = read(path, ("label", "text"))[0]
    except DataError:
        found = read(path, ("label", "text"), quoting="none")[0]
    assert len(found) == len(rows)
