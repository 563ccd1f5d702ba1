"""What a document is in plain text files, where nobody says it."""

import pytest

from acclimate.data.corpus import Corpus, CorpusSettings

LIST = "".join(f"text number {number}\n" for number in range(1000))
NOTICE = "About these texts.\n\nPut together by hand.\n"


def corpus(folder, files, **how):
    for name, content in files.items():
        (folder / name).write_text(content)
    return Corpus.open("c", CorpusSettings(path=str(folder), **how), folder)


def test_a_list_of_texts_stays_one_beside_a_file_with_a_blank_line(tmp_path):
    found = corpus(tmp_path, {"a.txt": NOTICE, "b.txt": LIST})
    assert found.scan().documents == 1001
    assert found.detected["documents"] == "file (1 of 2 files), line (1 of 2 files)"


@pytest.mark.parametrize("number", [2, 4, 5, 9])
@pytest.mark.parametrize(("content", "documents"), [("one text\nanother text\n", 2), (f"{'prose ' * 12}\nits end\n", 1), (NOTICE, 1)])
def test_the_rule_is_the_same_for_any_number_of_files(tmp_path, number, content, documents):
    found = corpus(tmp_path, {f"{n}.txt": content for n in range(number)})
    assert found.scan().documents == documents * number
    assert found.detected["documents"] == ("file" if documents == 1 else "line")
    assert ("guessed" in found.detected) == (documents == 1)


@pytest.mark.parametrize("number", [1, 4, 5])
def test_lists_of_texts_are_read_line_by_line_however_many_they_are(tmp_path, number):
    found = corpus(tmp_path, {f"{n}.txt": LIST for n in range(number)})
    assert found.scan().documents == 1000 * number
    assert "guessed" not in found.detected


def test_a_blank_line_at_the_end_makes_no_paragraph_of_a_list(tmp_path):
    assert corpus(tmp_path, {"a.txt": "one\ntwo\nthree\n\n"}).scan().documents == 3


def test_a_guess_is_told_and_what_is_stated_is_none(tmp_path):
    found = corpus(tmp_path, {"a.txt": "one\ntwo\n\nthree\nfour\n"})
    assert (found.scan().documents, found.detected["documents"]) == (2, "blank")
    assert "guessed" in found.detected
    stated = corpus(tmp_path, {}, documents="line")
    assert (stated.scan().documents, stated.detected) == (4, {"format": "txt"})
