"""Vocabularies are learned: the same bytes each time, and transformers reads them as it reads BERT's and RoBERTa's."""

import subprocess
import sys

import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from acclimate.data.corpus import Corpus
from acclimate.data.vocabularies.learned import learn_vocabulary
from acclimate.errors import DataError, SettingsError

TEXTS = [
    "The market fell, and the bank lost a share of its profit.",
    "A café in Köln: the singers sang.",
    "北京 is a city. The cities grew!",
] * 3


def corpus_of(texts):
    return Corpus.of_texts("domain", texts, "fingerprint")


@pytest.mark.parametrize("cased", [False, True])
def test_bert_reads_a_wordpiece_vocabulary(tmp_path, cased):
    learned = learn_vocabulary(corpus_of(TEXTS), tmp_path / "out", size=150, cased=cased)
    tokenizer, plain = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json")), AutoTokenizer.from_pretrained(tmp_path / "out")
    assert type(plain).__name__ == "BertTokenizer"
    assert [tokenizer.id_to_token(number) for number in range(5)] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert (plain.pad_token, plain.unk_token, plain.cls_token, plain.sep_token, plain.mask_token) == tuple(
        tokenizer.id_to_token(number) for number in range(5)
    )
    assert learned.entries == len(plain) <= 150
    for text in [*TEXTS, "a [MASK] in the city", "UPPER lower Ünïcode"]:
        assert plain(text)["input_ids"] == tokenizer.encode(text).ids
    assert plain("a", "b")["token_type_ids"] == [0, 0, 0, 1, 1]
    assert plain.tokenize("The Market") == (plain.tokenize("The Market") if cased else plain.tokenize("the market"))
    assert ("T" in tokenizer.get_vocab()) == cased
    assert "##." not in tokenizer.get_vocab()  # a full stop is a word of its own, and so is a Chinese character
    assert "京" in tokenizer.get_vocab()
    assert "##京" not in tokenizer.get_vocab()


def test_roberta_reads_a_byte_level_vocabulary(tmp_path):
    learned = learn_vocabulary(corpus_of(TEXTS), tmp_path / "out", size=300, kind="bytes")
    tokenizer, plain = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json")), AutoTokenizer.from_pretrained(tmp_path / "out")
    assert type(plain).__name__ == "RobertaTokenizer"
    assert [tokenizer.id_to_token(number) for number in range(5)] == ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    assert (plain.bos_token, plain.pad_token, plain.eos_token, plain.unk_token, plain.mask_token) == tuple(
        tokenizer.id_to_token(number) for number in range(5)
    )
    assert learned.entries == len(plain) <= 300
    for text in [*TEXTS, "a <mask> in the city", "never seen: ☃"]:
        assert plain(text)["input_ids"] == tokenizer.encode(text).ids
        assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False).replace(" <", "<") == f"<s>{text}</s>".replace(
            " <", "<"
        )
    assert plain("a", "b")["input_ids"] == tokenizer.encode("a", "b").ids


@pytest.mark.parametrize("kind", ["wordpiece", "bytes"])
def test_it_counts_what_the_corpus_comes_to(tmp_path, kind):
    learned = learn_vocabulary(corpus_of(TEXTS), tmp_path / "out", size=300, kind=kind)
    tokenizer = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    assert learned.documents == len(TEXTS)
    assert learned.tokens == sum(len(tokenizer.encode(text, add_special_tokens=False).ids) for text in TEXTS)
    assert learned.characters_per_token == sum(map(len, TEXTS)) / learned.tokens
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("kind", ["wordpiece", "bytes"])
def test_every_process_learns_the_same_bytes(tmp_path, kind, bbc_folder):
    # Hash tables are ordered differently in each process, so only another process can tell.
    program = (
        "import sys; from pathlib import Path\n"
        "from acclimate.data.corpus import Corpus, CorpusSettings\n"
        "from acclimate.data.vocabularies.learned import learn_vocabulary\n"
        "corpus = Corpus.open('domain', CorpusSettings(path=sys.argv[1], documents='file'), Path.cwd())\n"
        f"learn_vocabulary(corpus, Path(sys.argv[2]), size=1000, kind={kind!r})\n"
    )
    texts = tmp_path / "texts"
    texts.mkdir()
    for file in sorted((bbc_folder / "tech").glob("00*.txt"))[:40]:
        (texts / file.name).write_text(file.read_text(encoding="utf-8", errors="replace"), encoding="utf-8")
    for name in ("one", "two"):
        subprocess.run([sys.executable, "-c", program, texts, tmp_path / name], check=True)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_what_occurs_once_is_not_merged_unless_asked_for(tmp_path):
    texts = ["unique words only", "others here"]
    often = learn_vocabulary(corpus_of(texts), tmp_path / "often", size=200, min_frequency=3)
    once = learn_vocabulary(corpus_of(texts), tmp_path / "once", size=200, min_frequency=1)
    assert often.entries < once.entries


def test_sizes_below_the_alphabet_are_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"size: 260 entries are too few for the special tokens and 256 bytes; choose 261 or more"):
        learn_vocabulary(corpus_of(TEXTS), tmp_path / "out", size=260, kind="bytes")
    with pytest.raises(SettingsError, match=r"size: 8 entries are too few for the special tokens and 3 characters, 2 .* choose 10 or more"):
        learn_vocabulary(corpus_of(["ab, ba"]), tmp_path / "out", size=8)
    assert learn_vocabulary(corpus_of(["ab, ba"]), tmp_path / "out", size=10).entries == 10


def test_an_empty_corpus_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no usable document"):
        learn_vocabulary(corpus_of([]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(SettingsError, match="not empty"):
        learn_vocabulary(corpus_of(TEXTS), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]
