"""The token store holds exactly what the plain tokenizer says, once, or nothing at all."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from acclimate.data import tokens as tokens_module
from acclimate.data.tokens import TokenStore, special_ids, special_tokens, word_starts
from acclimate.errors import DataError, ModelError, SettingsError, StoreError
from acclimate.modeling.named import packaged_base

TEXTS = [
    "Proteins bind to receptors, and receptors bind to ligands.",
    "",
    "Inhibitors block the receptors' binding sites.\nAgonists do not.",
    "   ",
    "Ünïcode, 中文 and emoji 🙂 too; unbelievable tokenisation",
]


def tiny() -> Tokenizer:
    return Tokenizer.from_file(str(packaged_base("acclimate-tiny") / "tokenizer.json"))


def byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=["<s>", "</s>", "<mask>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), add_prefix_space=False)
    return tokenizer


def unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer


MAKERS = {"wordpiece": tiny, "byte-level": byte_level, "unigram": unigram}


@pytest.fixture(scope="module", params=MAKERS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return MAKERS[request.param]()


def plain_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    ids: list[int] = copy.encode(text, add_special_tokens=False).ids
    return ids


def never() -> Iterator[str]:
    raise AssertionError("the documents were read again")
    yield ""


def test_store_equals_plain_tokenizer_output(tmp_path: Path, tokenizer: Tokenizer) -> None:
    texts = [*TEXTS, "long words and more of them " * 100]
    store = TokenStore.build(tmp_path / "store", iter(texts), tokenizer, "key")
    assert store.documents == len(store) == len(texts)
    assert [store[i].tolist() for i in range(len(texts))] == [plain_ids(tokenizer, text) for text in texts]
    assert store[-1].tolist() == store[len(texts) - 1].tolist()
    assert store.total == sum(len(plain_ids(tokenizer, text)) for text in texts)
    assert len(store[len(texts) - 1]) > 128  # MiniLM's own truncation did not act


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=30), max_size=12), chunk=st.integers(1, 5))
def test_store_is_the_same_whatever_the_chunks(tmp_path_factory: pytest.TempPathFactory, texts: list[str], chunk: int) -> None:
    tokenizer = byte_level()
    folder = tmp_path_factory.mktemp("stores")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens_module, "CHUNK_DOCUMENTS", chunk)
        store = TokenStore.build(folder / "store", iter(texts), tokenizer, "key")
    assert [store[i].tolist() for i in range(len(store))] == [plain_ids(tokenizer, text) for text in texts]


def test_callers_tokenizer_keeps_its_own_settings(tmp_path: Path) -> None:
    tokenizer = tiny()
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding()
    before = tokenizer.to_str()
    TokenStore.build(tmp_path / "store", iter(TEXTS), tokenizer, "key")
    special_ids(tokenizer)
    assert tokenizer.to_str() == before
    assert tokenizer.truncation is not None


def test_documents_without_tokens_keep_their_place(tmp_path: Path) -> None:
    store = TokenStore.build(tmp_path / "store", iter(["", "word", "", ""]), tiny(), "key")
    assert np.diff(store.offsets).tolist() == [0, 1, 0, 0]
    assert store[0].tolist() == store[3].tolist() == []


def test_a_corpus_without_tokens_or_documents_can_be_opened(tmp_path: Path) -> None:
    assert TokenStore.build(tmp_path / "blank", iter(["", " "]), tiny(), "key").documents == 2
    empty = TokenStore.build(tmp_path / "none", iter([]), tiny(), "key")
    assert (empty.documents, empty.total) == (0, 0)
    assert TokenStore.open(tmp_path / "none").documents == 0


@pytest.mark.parametrize("beyond", [4, -4])
def test_a_document_that_is_not_there_is_an_index_error(tmp_path: Path, beyond: int) -> None:
    store = TokenStore.build(tmp_path / "store", iter(["a", "b", "c"]), tiny(), "key")
    with pytest.raises(IndexError, match="of 3"):
        store[beyond]


@pytest.mark.parametrize(("highest", "expected"), [(65_535, np.uint16), (65_536, np.uint32)])
def test_ids_are_16_bits_wide_exactly_where_that_is_enough(tmp_path: Path, highest: int, expected: type) -> None:
    # A vocabulary with a hole: what counts is the highest id, not the number of entries.
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "last": highest}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    store = TokenStore.build(tmp_path / "store", iter(["last one"]), tokenizer, "key")
    assert store.tokens.dtype == expected
    assert store.tokens.tolist() == [highest, 0]


def test_the_same_key_is_not_tokenised_again(tmp_path: Path) -> None:
    first = TokenStore.build(tmp_path / "store", iter(TEXTS), tiny(), "key")
    again = TokenStore.build(tmp_path / "store", never(), tiny(), "key")
    assert np.array_equal(first.tokens, again.tokens)
    assert np.array_equal(first.offsets, again.offsets)


def test_another_key_is_tokenised_again(tmp_path: Path) -> None:
    TokenStore.build(tmp_path / "store", iter(TEXTS), tiny(), "key")
    store = TokenStore.build(tmp_path / "store", iter(["other"]), tiny(), "another")
    assert store.documents == TokenStore.open(tmp_path / "store").documents == 1


def interrupted() -> Iterator[str]:
    yield from TEXTS
    raise KeyboardInterrupt


def test_interrupted_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens_module, "CHUNK_DOCUMENTS", 1)
    with pytest.raises(KeyboardInterrupt):
        TokenStore.build(tmp_path / "store", interrupted(), tiny(), "key")
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []
    assert TokenStore.build(tmp_path / "store", iter(TEXTS), tiny(), "key").documents == len(TEXTS)


def test_interrupted_rebuild_keeps_the_old_store(tmp_path: Path) -> None:
    TokenStore.build(tmp_path / "store", iter(TEXTS), tiny(), "key")
    with pytest.raises(KeyboardInterrupt):
        TokenStore.build(tmp_path / "store", interrupted(), tiny(), "another")
    assert TokenStore.build(tmp_path / "store", never(), tiny(), "key").documents == len(TEXTS)


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path: Path) -> None:
    mine, anothers = tmp_path / f".tmp-{'a' * 32}-store", tmp_path / f".tmp-{'a' * 32}-my-store"
    for folder in (mine, anothers):
        folder.mkdir()
        (folder / "tokens.bin").write_bytes(b"xx")
    TokenStore.build(tmp_path / "store", iter(TEXTS), tiny(), "key")
    assert not mine.exists()
    assert anothers.exists()


@pytest.mark.parametrize("name", ["tokens.bin", "offsets.bin", "store.json"])
@pytest.mark.parametrize("damage", ["short", "missing"])
def test_damaged_store_is_refused_by_open_and_mended_by_build(tmp_path: Path, name: str, damage: str) -> None:
    folder = tmp_path / "store"
    TokenStore.build(folder, iter(TEXTS), tiny(), "key")
    if damage == "short":
        (folder / name).write_bytes((folder / name).read_bytes()[:-3])
    else:
        (folder / name).unlink()
    with pytest.raises(StoreError, match=name.replace(".", r"\.")):
        TokenStore.open(folder)
    assert TokenStore.build(folder, iter(TEXTS), tiny(), "key").documents == len(TEXTS)


@pytest.mark.parametrize("facts", [[], {}, {"key": "key"}, {"key": "key", "dtype": "nonsense", "tokens": 1, "documents": 1}])
def test_strange_description_is_refused_by_open_and_mended_by_build(tmp_path: Path, facts: object) -> None:
    folder = tmp_path / "store"
    TokenStore.build(folder, iter(TEXTS), tiny(), "key")
    (folder / "store.json").write_text(json.dumps(facts))
    with pytest.raises(StoreError, match="does not describe"):
        TokenStore.open(folder)
    assert TokenStore.build(folder, iter(TEXTS), tiny(), "key").documents == len(TEXTS)


def test_half_a_surrogate_pair_is_an_error_that_names_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens_module, "CHUNK_DOCUMENTS", 2)
    with pytest.raises(DataError, match=r"document 4 .*character 3"):
        TokenStore.build(tmp_path / "store", iter(["a", "b", "c", "ab\ud800"]), tiny(), "key")


def test_documents_are_streamed_in_bounded_chunks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tokens_module, "CHUNK_CHARACTERS", 100)
    held, most = 0, 0
    chunks = tokens_module.chunks

    def documents() -> Iterator[str]:
        nonlocal held, most
        for _ in range(200):
            held += 1
            most = max(most, held)
            yield "ten chars."

    def counted(documents: Iterator[str], *limits: int) -> Iterator[list[str]]:
        nonlocal held
        for chunk in chunks(documents, *limits):
            yield chunk
            held -= len(chunk)

    monkeypatch.setattr(tokens_module, "chunks", counted)
    assert TokenStore.build(tmp_path / "store", documents(), tiny(), "key").documents == 200
    assert most == 10


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("wordpiece", ((2,), (3,))), ("byte-level", ((0,), (1,))), ("unigram", ((), (1,)))],
)
def test_special_ids_are_those_of_a_single_text(kind: str, expected: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    assert special_ids(MAKERS[kind]()) == expected


def test_a_tokenizer_without_special_tokens_has_none() -> None:
    tokenizer = byte_level()
    tokenizer.post_processor = processors.ByteLevel()
    assert special_ids(tokenizer) == ((), ())


def test_a_tokenizer_that_loses_the_text_is_refused() -> None:
    tokenizer = byte_level()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s>", special_tokens=[("<s>", 0)])
    with pytest.raises(ModelError, match="cannot be told"):
        special_ids(tokenizer)


def test_special_tokens_are_those_that_are_no_text() -> None:
    assert np.flatnonzero(special_tokens(tiny())).tolist() == [0, 1, 2, 3, 4]
    tokenizer = byte_level()
    tokenizer.add_tokens([AddedToken("domainword", special=False)])
    table = special_tokens(tokenizer)
    assert np.flatnonzero(table).tolist() == [0, 1, 2]
    assert len(table) == tokenizer.get_vocab_size()


@pytest.mark.parametrize("kind", MAKERS)
def test_word_starts_agree_with_the_words_of_the_text(kind: str) -> None:
    tokenizer = MAKERS[kind]()
    starts = word_starts(tokenizer)
    text = "unbelievable receptors bindings tokenisation"
    encoding = tokenizer.encode(text, add_special_tokens=False)
    ids = [token for token, mask in zip(encoding.ids, encoding.attention_mask, strict=True) if mask]
    # The first token of a text begins a word whatever its mark; there is more than one piece in some word, else nothing is tested.
    begins = [True, *starts[ids][1:].tolist()]
    assert sum(begins) == len(text.split())
    assert len(ids) > len(text.split())
    words = [tokenizer.decode(list(part)).strip() for part in np.split(ids, np.flatnonzero(begins)[1:])]
    assert words == text.split()


def test_a_line_break_begins_a_word_in_byte_level_vocabularies() -> None:
    tokenizer = byte_level()
    assert word_starts(tokenizer)[tokenizer.token_to_id("\u010a")]


def test_bpe_with_a_continuation_prefix_is_read_like_wordpiece() -> None:
    tokenizer = Tokenizer(models.BPE({"a": 0, "##b": 1, "a##b": 2}, [], continuing_subword_prefix="##"))
    assert word_starts(tokenizer).tolist() == [True, False, True]


def test_every_token_of_a_word_level_vocabulary_begins_a_word() -> None:
    assert word_starts(Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))).all()


@pytest.mark.parametrize(
    "model",
    [models.BPE({"a": 0, "b</w>": 1}, [], end_of_word_suffix="</w>"), models.Unigram([("a", -1.0), ("b", -1.0)], 0, False)],
    ids=["ends of words", "no marks"],
)
def test_a_vocabulary_that_does_not_mark_words_is_refused(model: models.Model) -> None:
    with pytest.raises(SettingsError, match="whole_word: false"):
        word_starts(Tokenizer(model))


def test_an_added_token_is_a_word_of_its_own() -> None:
    tokenizer = byte_level()
    tokenizer.add_tokens([AddedToken("domainword", special=False)])
    assert word_starts(tokenizer)[tokenizer.token_to_id("domainword")]
