"""Ids by the word are the tokenizer's own ids, and only tokenizers of which this is certain are encoded so."""

import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from acclimate.data import word_lookup as words_module
from acclimate.data.ragged import IntArray
from acclimate.data.tokens import TokenStore
from acclimate.data.unknown import Unread
from acclimate.data.word_lookup import WordEncoder, word_separator
from acclimate.modeling.named import packaged_base

pytestmark = pytest.mark.measured(1)

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [*"abcdefoxyzé中文カ,.'#$\u0301\u03c3\u0131ß1½"]
VOCABULARY = {
    piece: number for number, piece in enumerate([*MARKS, *LETTERS, *(f"##{letter}" for letter in LETTERS), "foo", "bar", "##bar"])
}

# Every white space of Unicode, what only Python or only Rust takes for one, and what normalizers remove, compose or take apart.
ODD = [
    *(character for character in map(chr, range(sys.maxunicode + 1)) if character.isspace()),
    *"\x00\x08\x7f\u00ad\u180e\u200b\u200d\u2060\ufeff\ufffd",
    *"\u0301\u0308\u0323\u0338\u20dd\u1161\u11a8\uac00가\u00a8\u00b4\u037a\u0130\u03a3\u01c4\ufb03\ufdfa中文カ🙂\U0001f468\u200d\U0001f469",
]
PIECES = [*MARKS, "foo", "bar", "Foo", "BAR", "[sep]", "x<m>y", "<M>", "long" * 40, "a" * 101, "don't", "e.g.", "1,000", "É", "e\u0301"]
TEXTS = st.lists(
    st.sampled_from(PIECES) | st.sampled_from(ODD) | st.sampled_from([" ", " ", " ", "\n", "\t", "\r", "\r\n", "  "]) | st.text(max_size=5),
    max_size=30,
).map("".join)


def tiny() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(packaged_base("acclimate-tiny") / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def word_piece(normalizer: Any = None, pre_tokenizer: Any = None, model: Any = None) -> Tokenizer:
    tokenizer = Tokenizer(model or models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer or pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(MARKS)
    return tokenizer


def with_added_tokens() -> Tokenizer:
    tokenizer = word_piece(normalizers.BertNormalizer())
    tokenizer.add_tokens(
        [
            AddedToken("<m>", lstrip=True, rstrip=True),
            AddedToken("foo", single_word=True, normalized=False),
            AddedToken("É", normalized=True),
            AddedToken("x,", lstrip=True, normalized=False),
        ]
    )
    return tokenizer


def every_normalizer() -> Tokenizer:
    steps = [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])]
    return word_piece(normalizers.Sequence(steps), pre_tokenizers.Whitespace())


BPE = models.BPE({**VOCABULARY, "ab": 1000}, [("a", "b")], unk_token="[UNK]", fuse_unk=True)
LEVEL = models.WordLevel(VOCABULARY, unk_token="[UNK]")

ACCEPTED: dict[str, Callable[[], Tokenizer]] = {
    "acclimate-tiny": tiny,
    "cased": lambda: word_piece(normalizers.BertNormalizer(lowercase=False)),
    "nothing cleaned": lambda: word_piece(normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True)),
    "added tokens": with_added_tokens,
    "every normalizer": every_normalizer,
    "NFC, split at white space": lambda: word_piece(normalizers.NFC(), pre_tokenizers.WhitespaceSplit()),
    "no normalizer, BPE": lambda: word_piece(model=BPE, pre_tokenizer=pre_tokenizers.WhitespaceSplit()),
    "NFD, word level": lambda: word_piece(normalizers.NFD(), pre_tokenizers.Whitespace(), LEVEL),
}


class Spy:
    """The tokenizer itself, as `WordEncoder` asks for it; it keeps what it was asked."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.asked: list[str] = []

    def __call__(self, texts: list[str]) -> tuple[np.ndarray, IntArray]:
        self.asked += texts
        rows = [encoding.ids for encoding in self.tokenizer.encode_batch(texts, add_special_tokens=False)]
        return np.array([*chain.from_iterable(rows)], np.uint16), np.array([len(row) for row in rows], np.int64)


def by_the_word(tokenizer: Tokenizer, **settings: int) -> tuple[WordEncoder, Spy]:
    separator = word_separator(tokenizer)
    assert separator is not None
    spy = Spy(tokenizer)
    return WordEncoder(spy, separator, Unread.by(tokenizer), **settings), spy


@pytest.fixture(scope="module", params=ACCEPTED)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return ACCEPTED[request.param]()


@given(batches=st.lists(st.lists(TEXTS, min_size=1, max_size=5), min_size=1, max_size=3), cache_bytes=st.sampled_from([0, 1 << 20]))
def test_ids_by_the_word_are_the_tokenizers_own(tokenizer: Tokenizer, batches: list[list[str]], cache_bytes: int) -> None:
    encode, _ = by_the_word(tokenizer, cache_bytes=cache_bytes)
    for texts in batches:
        ids, lengths = encode(texts)
        expected = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        assert [row.tolist() for row in np.split(ids, np.cumsum(lengths)[:-1])] == expected
        assert ids.dtype == np.uint16
        assert lengths.tolist() == [len(row) for row in expected]


def test_each_chunk_is_encoded_once() -> None:
    encode, spy = by_the_word(tiny())
    first = encode(["the cat, the dog", "the\ncat,"])
    asked = len(spy.asked)
    assert sum(text.split().count("the") for text in spy.asked) == 1
    again = encode(["the cat, the dog", "the\ncat,"])
    assert "".join(spy.asked[asked:]) == ""
    assert [part.tolist() for part in again] == [part.tolist() for part in first]


def test_the_separator_in_the_text_costs_time_but_no_ids() -> None:
    tokenizer = tiny()
    encode, spy = by_the_word(tokenizer)
    ids, _ = encode(["a [PAD] b foo[PAD]bar[PAD]"])
    assert ids.tolist() == tokenizer.encode("a [PAD] b foo[PAD]bar[PAD]", add_special_tokens=False).ids
    assert "foo[PAD]bar[PAD]" in spy.asked


def test_memory_stays_flat() -> None:
    encode, _ = by_the_word(tiny(), cache_bytes=1 << 16)
    most = 0
    for number in range(40):
        # Ever new chunks, short and long ones; 100 of them are about 20 kB.
        encode([" ".join(f"w{number}-{word}" for word in range(100)), f"{number}" * 4000])
        most = max(most, encode._used_bytes)
        held = sum(map(sys.getsizeof, encode._numbers)) + sys.getsizeof(encode._numbers) + 28 * len(encode._numbers)
        held += sum(array.nbytes for array in (encode._ids, encode._begins, encode._lengths))
        assert held < 1.3 * encode._used_bytes
    assert 1 << 16 < most < 2 << 16


def custom(kind: Any) -> Any:
    class Own:
        def normalize(self, text: Any) -> None:
            pass

        def pre_tokenize(self, text: Any) -> None:
            pass

    return kind.custom(Own())


def added(content: str) -> Tokenizer:
    tokenizer = word_piece(normalizers.BertNormalizer())
    tokenizer.add_tokens([AddedToken(content, normalized=True)])
    return tokenizer


def no_pre_tokenizer() -> Tokenizer:
    tokenizer = word_piece()
    tokenizer.pre_tokenizer = None
    return tokenizer


def without_added_tokens() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def every_text_twice() -> Tokenizer:
    tokenizer = tiny()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A $A", special_tokens=[])
    return tokenizer


REFUSED: dict[str, Callable[[], Tokenizer]] = {
    "byte level": lambda: word_piece(pre_tokenizer=pre_tokenizers.ByteLevel()),
    "metaspace": lambda: word_piece(pre_tokenizer=pre_tokenizers.Metaspace()),
    "punctuation only": lambda: word_piece(pre_tokenizer=pre_tokenizers.Punctuation()),
    "no pre-tokenizer": no_pre_tokenizer,
    "own pre-tokenizer": lambda: word_piece(pre_tokenizer=custom(pre_tokenizers.PreTokenizer)),
    "strip": lambda: word_piece(normalizers.Strip()),
    "prepend": lambda: word_piece(normalizers.Prepend("_")),
    "replace within a sequence": lambda: word_piece(normalizers.Sequence([normalizers.NFC(), normalizers.Replace(" ", "_")])),
    "own normalizer": lambda: word_piece(custom(normalizers.Normalizer)),
    "own normalizer within a sequence": lambda: word_piece(normalizers.Sequence([normalizers.NFC(), custom(normalizers.Normalizer)])),
    "dropout": lambda: word_piece(model=models.BPE({"a": 0}, [], dropout=0.1)),
    "unigram": lambda: word_piece(model=models.Unigram([("a", -1.0)], 0, False)),
    "added token with a space": lambda: added("foo bar"),
    "added token with another space": lambda: added("foo\u00a0bar"),
    "added token with a space once normalized": lambda: added("中"),
    "no added token": without_added_tokens,
    "every text twice": every_text_twice,
}


@pytest.mark.parametrize("kind", REFUSED)
def test_any_other_tokenizer_is_refused(kind: str) -> None:
    assert word_separator(REFUSED[kind]()) is None


def test_an_odd_tokenizer_is_found_out_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A space belongs to the word behind it here, which `word_separator` is made to overlook.
    tokenizer = word_piece(pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False))
    monkeypatch.setattr(words_module, "SPLITTERS", (pre_tokenizers.ByteLevel,))
    expected = tokenizer.encode("foo bar", add_special_tokens=False).ids
    assert by_the_word(tokenizer)[0](["foo bar"])[0].tolist() != expected
    assert TokenStore.build(tmp_path / "store", iter(["foo bar"]), tokenizer, "key")[0].tolist() == expected


def test_a_store_is_the_same_by_the_word_and_by_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["the cat, the dog", "", "foo[SEP]bar\x1cbaz\u3000中文 É", " \n\t"] * 200
    asked: list[int] = []
    call = WordEncoder.__call__
    with monkeypatch.context() as patch:
        patch.setattr(WordEncoder, "__call__", lambda self, texts: asked.append(len(texts)) or call(self, texts))
        TokenStore.build(tmp_path / "words", iter(texts), tiny(), "key")
    assert asked[-1] == len(texts)  # not only the trial
    monkeypatch.setattr(words_module, "SPLITTERS", ())
    TokenStore.build(tmp_path / "documents", iter(texts), tiny(), "key")
    for file in (tmp_path / "documents").iterdir():
        assert (tmp_path / "words" / file.name).read_bytes() == file.read_bytes()
