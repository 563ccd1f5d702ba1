"""What is read is digested as it is read: a corpus that is not what its fingerprint names is never taken for it."""

import os
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.tokens import TokenStore
from acclimate.errors import DataError

FORMATS = ("jsonl", "csv", "tsv", "txt", "jsonl.gz", "parquet", "hf")


def write(folder: Path, format: str, texts: list[str]) -> str:
    path = folder / f"corpus.{format}"
    if format == "hf":
        import datasets

        datasets.Dataset.from_dict({"text": texts}).save_to_disk(str(folder / "dataset"))
        return "dataset"
    if format == "parquet":
        pyarrow.parquet.write_table(pyarrow.table({"text": texts}), path)
    elif format == "txt":
        path.write_text("".join(f"{text}\n" for text in texts))
    elif format in ("csv", "tsv"):
        path.write_text("".join(f"{text}\n" for text in ["text", *texts]))
    else:
        import gzip
        import json

        content = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
        path.write_bytes(gzip.compress(content) if format.endswith("gz") else content)
    return path.name


@pytest.mark.parametrize("format", FORMATS)
def test_a_corpus_that_is_not_what_was_planned_is_refused_when_it_has_been_read_whatever_its_format(tmp_path, format):
    path = write(tmp_path, format, ["first text", "second text"])
    planned = Corpus.open("domain", CorpusSettings(path=path), tmp_path).fingerprint
    again = Corpus.open("domain", CorpusSettings(path=path), tmp_path, planned)
    assert list(again.documents()) == ["first text", "second text"]
    write(tmp_path, format, ["first text", "second test"])
    other = Corpus.open("domain", CorpusSettings(path=path), tmp_path, planned)
    assert other.fingerprint == planned  # what it is asked to be; reading shows whether it is
    with pytest.raises(DataError, match=r"domain.* changed while the study ran.*run the same command again"):
        list(other.documents())


def test_the_size_and_the_time_of_a_file_say_nothing(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("one text\n")
    corpus = Corpus.open("domain", CorpusSettings(path="corpus.txt"), tmp_path)
    corpus.scan()
    before = path.stat()
    path.write_text("one test\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(DataError, match="changed while the study ran"):
        list(corpus.documents())


def test_no_token_store_of_a_changed_corpus_is_kept(tmp_path, tokenizer):
    (tmp_path / "corpus.txt").write_text("one text\n")
    corpus = Corpus.open("domain", CorpusSettings(path="corpus.txt"), tmp_path)
    corpus.scan()
    (tmp_path / "corpus.txt").write_text("one more\n")
    with pytest.raises(DataError, match="changed while the study ran"):
        TokenStore.build(tmp_path / "store", corpus.documents(), tokenizer, "key")
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_the_same_documents_have_one_fingerprint_in_every_format(tmp_path):
    found = set()
    for format in FORMATS:
        path = write(tmp_path, format, ["first text", "second text"])
        found.add(Corpus.open("domain", CorpusSettings(path=path), tmp_path).fingerprint)
    assert len(found) == 1


@pytest.mark.parametrize("changed", [{"leave_out": ["second"]}, {"remove": ["text"]}, {"duplicates": "drop"}, {"documents": "file"}])
def test_what_changes_the_documents_changes_the_fingerprint(tmp_path, changed):
    (tmp_path / "corpus.txt").write_text("first text\nsecond text\nfirst text\n")
    plain = Corpus.open("domain", CorpusSettings(path="corpus.txt", documents="line"), tmp_path).fingerprint
    settings = CorpusSettings.model_validate({"path": "corpus.txt", "documents": "line", **changed})
    assert Corpus.open("domain", settings, tmp_path).fingerprint != plain


@pytest.fixture
def tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({"[UNK]": 0, "one": 1, "text": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return words
