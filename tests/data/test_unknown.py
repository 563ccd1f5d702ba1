"""What a vocabulary cannot read is counted, in tokens and in bytes, whatever kind of vocabulary it is and whichever way it is encoded."""

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from acclimate.data.tokens import TokenStore, special_tokens
from acclimate.data.unknown import Unread, drops_unknown, unknown_id, unknown_words
from acclimate.errors import ModelError

TEXTS = ["a b ab", "a ក្ក b", "日本 b 日本", "", "x" * 101 + " a"]


def build(model, split=None, normalizer=None):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = split or pre_tokenizers.Whitespace()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    return tokenizer


WORDPIECE = {"[UNK]": 0, "a": 1, "b": 2, "##b": 3, "x": 4, "##x": 5, "[SEP]": 6}


def wordpiece(marked=True):
    tokenizer = build(models.WordPiece(WORDPIECE, unk_token="[UNK]"), pre_tokenizers.BertPreTokenizer(), normalizers.BertNormalizer())
    tokenizer.add_special_tokens(["[SEP]", "[UNK]"] if marked else ["[SEP]"])
    return tokenizer


def byte_level():
    tokenizer = build(models.BPE(), pre_tokenizers.ByteLevel(add_prefix_space=False))
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(["a b ab"], trainer)
    return tokenizer


def byte_fallback():
    pieces = {"<unk>": 0, **{f"<0x{byte:02X}>": byte + 1 for byte in range(256)}, "a": 257, "b": 258}
    return build(models.BPE(pieces, [], unk_token="<unk>", byte_fallback=True, fuse_unk=True))


def unigram():
    return build(models.Unigram([("<unk>", 0.0), ("a", -1.0), ("b", -1.0), ("x", -1.0)], 0))


def dropping():
    return build(models.BPE({"a": 0, "b": 1, "x": 2}, []))


def store_of(tokenizer, folder, texts=TEXTS):
    return TokenStore.build(folder, iter(texts), tokenizer, "key")


@pytest.mark.parametrize("make", [wordpiece, lambda: wordpiece(marked=False), unigram], ids=["wordpiece", "unmarked", "unigram"])
def test_unknown_tokens_and_their_bytes_are_counted(tmp_path, make):
    tokenizer = make()
    store = store_of(tokenizer, tmp_path / "store")
    assert store.unknown == int((store.tokens == unknown_id(tokenizer)).sum()) > 0
    made = [(text, tokenizer.encode(text, add_special_tokens=False)) for text in TEXTS]
    pairs = [(text, number, span) for text, each in made for number, span in zip(each.ids, each.offsets, strict=True)]
    spans = [text[begin:end] for text, number, (begin, end) in pairs if number == unknown_id(tokenizer)]
    assert store.unknown_bytes == sum(len(span.encode()) for span in spans)
    assert store.unknown_share == store.unknown / store.total
    assert TokenStore.open(tmp_path / "store").unknown_bytes == store.unknown_bytes


def test_a_word_of_more_than_a_hundred_characters_counts_with_all_its_bytes(tmp_path):
    store = store_of(wordpiece(), tmp_path / "store", ["x" * 101 + " a"])
    assert (store.unknown, store.unknown_bytes, store.total) == (1, 101, 2)


@pytest.mark.parametrize("make", [byte_level, byte_fallback], ids=["byte level", "byte fallback"])
def test_bytes_can_write_everything(tmp_path, make):
    store = store_of(make(), tmp_path / "store")
    assert (store.unknown, store.unknown_bytes, store.unknown_share) == (0, 0, 0.0)
    assert not drops_unknown(make())


def test_what_a_vocabulary_drops_without_a_token_is_counted_too(tmp_path):
    assert drops_unknown(dropping())
    store = store_of(dropping(), tmp_path / "store")
    assert store.unknown == 3
    assert store.unknown_bytes == len("ក្ក".encode()) + 2 * len("日本".encode())


def test_joined_stores_add_up(tmp_path):
    one, two = store_of(wordpiece(), tmp_path / "one"), store_of(wordpiece(), tmp_path / "two", ["ក a"])
    joined = TokenStore.join(tmp_path / "joined", [one, two], "both")
    assert (joined.unknown, joined.unknown_bytes) == (one.unknown + 1, one.unknown_bytes + 3)


def test_an_unknown_token_is_never_masked_though_the_tokenizer_does_not_mark_it():
    assert special_tokens(wordpiece(marked=False))[0]
    assert not special_tokens(byte_level()).any()


@pytest.mark.parametrize(
    "model",
    [
        models.WordPiece({"a": 0}, unk_token="[UNK]"),
        models.WordLevel({"a": 0}, unk_token="[UNK]"),
        models.BPE({"a": 0}, [], unk_token="<unk>"),
        models.Unigram([("a", -1.0)]),
    ],
    ids=["WordPiece", "WordLevel", "BPE", "Unigram"],
)
def test_a_vocabulary_without_an_unknown_token_that_needs_one_is_refused_clearly(tmp_path, model):
    assert unknown_id(build(model)) is None
    with pytest.raises(ModelError, match="it has no token for what it does not know"):
        store_of(build(model), tmp_path / "store")


def test_texts_without_unknown_tokens_are_not_looked_at_again(monkeypatch):
    unread = Unread.by(wordpiece())
    asked = []
    monkeypatch.setattr(Unread, "_encoded", lambda self, texts: asked.extend(texts) or self.tokenizer.encode_batch(texts))
    made = [unread.tokenizer.encode(text).ids for text in ["a b", "ក", "b"]]
    counts = unread.counts(["a b", "ក", "b"], *flat(made))
    assert asked == ["ក"]
    assert counts.tolist() == [[0, 0], [1, 3], [0, 0]]


def flat(rows):
    return np.array([number for row in rows for number in row]), np.array([len(row) for row in rows])


def test_what_is_said_grows_with_the_share():
    assert unknown_words({"'domain'": 0.01}) == ""
    assert (
        unknown_words({"'domain'": 0.2, "'wiki'": 0.0})
        == "20.0 % of the tokens of 'domain' are unknown to this vocabulary, and no model can read them"
    )
    assert unknown_words({"'wiki'": 0.02, "'domain'": 0.6}).startswith(
        "MOSTLY UNREADABLE: 2.0 % of the tokens of 'wiki', 60.0 % of the tokens of 'domain' are"
    )
