"""Every word is asked about once, at the first of the pieces that overlap its characters, in the window that shows most around it."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from acclimate.data.model_inputs import word_sequences
from acclimate.data.ragged import Ragged
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import overlapping
from acclimate.data.word_pieces import aligned
from acclimate.errors import ModelError, SettingsError

SENTENCES = [
    "Ada Lovelace wrote to Charles Babbage",
    "the naïve café in São Paulo",
    "日本 東京 is far",
    "smile 😀 x😀y now",
    "1990-05-03 #tag @you",
]


def trained(model, trainer, pre_tokenizer, normalizer=None, post=None):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    tokenizer.post_processor = post or processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    )
    return tokenizer


SPECIAL = ["[UNK]", "[CLS]", "[SEP]"]


def word_piece():
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=SPECIAL, show_progress=False)
    bert = normalizers.BertNormalizer(lowercase=True)
    return trained(models.WordPiece(unk_token="[UNK]"), trainer, pre_tokenizers.BertPreTokenizer(), bert)


def byte_level(trim=True):
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    post = processors.RobertaProcessing(("[SEP]", 2), ("[CLS]", 1), trim_offsets=trim, add_prefix_space=False)
    return trained(models.BPE(), trainer, pre_tokenizers.ByteLevel(add_prefix_space=False), post=post)


def metaspace():
    trainer = trainers.UnigramTrainer(vocab_size=100, special_tokens=SPECIAL, unk_token="[UNK]", show_progress=False)
    return trained(models.Unigram(), trainer, pre_tokenizers.Metaspace())


TOKENIZERS = {"word pieces": word_piece(), "bytes": byte_level(), "bytes with their space": byte_level(False), "metaspace": metaspace()}


def words_of(texts, pattern=r"\S+"):
    return Ragged(
        np.array([found.span() for text in texts for found in re.finditer(pattern, text)], dtype=np.int64).reshape(-1, 2),
        np.concatenate([[0], np.cumsum([len(re.findall(pattern, text)) for text in texts])]).astype(np.int64),
    )


def sequences(texts, words, tmp_path_factory_folder, tokenizer, length, stride=None, causal=False):
    store = TokenStore.build(tmp_path_factory_folder / "store", iter(texts), tokenizer, "key")
    return word_sequences(store, tokenizer, texts, words, length, stride, causal)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_words_pieces_are_those_that_overlap_its_characters_and_its_text_is_read_as_it_stands(name, tmp_path):
    tokenizer, words = TOKENIZERS[name], words_of(SENTENCES)
    found = sequences(SENTENCES, words, tmp_path, tokenizer, 64)
    assert found.pieces.without == 0
    for item, text in enumerate(SENTENCES):
        encoding = tokenizer.encode(text)
        begin, end = found.windows.start[item], found.windows.start[item] + found.windows.length[item]
        assert [*found.prefix, *found.store.tokens[begin:end].tolist(), *found.suffix] == encoding.ids  # what transformers' pipeline reads
        asked = found.pieces.of(np.array([item]))
        asked = asked[found.pieces.number[asked] >= 0]
        for word in range(*words.offsets[item : item + 2]):
            first, last = words.values[word]
            wanted = [place for place, (left, right) in enumerate(encoding.offsets) if left < last and right > first and place]
            assert found.pieces.place[asked][found.pieces.word[asked] == word].tolist() == wanted
            assert found.pieces.number[asked][found.pieces.word[asked] == word].tolist() == list(range(len(wanted)))


def test_a_piece_that_several_words_share_answers_each_and_one_beside_all_words_none():
    tokenizer = Tokenizer(models.WordLevel({"U.S.": 0, "-": 1, "x": 2}, unk_token="x"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words = Ragged(np.array([[0, 1], [1, 2], [2, 3], [3, 4], [7, 8]]), np.array([0, 5]))
    piece, word, number = aligned(tokenizer, ["U.S. - x"], words, np.array([0, 3]))
    assert piece.tolist() == [0, 0, 0, 0, 1, 2]
    assert word.tolist() == [0, 1, 2, 3, 4, 4]
    assert number.tolist() == [0, 0, 0, 0, -1, 0]  # the dash stands before the last word


@pytest.mark.parametrize("name", ["bytes", "metaspace"])
def test_a_piece_of_the_space_between_words_stands_before_the_word_that_follows(name):
    tokenizer, text = TOKENIZERS[name], "Ada  \u2620 wrote "
    words, encoding = words_of([text]), tokenizer.encode(text, add_special_tokens=False)
    piece, word, number = aligned(tokenizer, [text], words, np.array([0, len(encoding.ids)]))
    before = piece[number == -1]
    assert len(before)
    for each, following in zip(before.tolist(), word[number == -1].tolist(), strict=True):
        left, right = encoding.offsets[each]
        assert text[left:right].isspace() or left == right
        assert words.values[following, 0] >= right
        assert following == 0 or words.values[following - 1, 1] <= left
    # What stands behind the last word is nobody's.
    assert set(range(len(encoding.ids))) - set(piece.tolist()) <= {len(encoding.ids) - 1}


def test_words_that_vanish_are_counted_and_texts_may_have_no_words_or_no_pieces(tmp_path):
    texts = ["a \u200b\ufeff b", "\u200b", "to be"]
    words = Ragged(np.array([[0, 1], [2, 4], [5, 6], [0, 1]]), np.array([0, 3, 4, 4]))
    found = sequences(texts, words, tmp_path, TOKENIZERS["word pieces"], 16)
    assert (len(found), found.texts, found.pieces.words, found.pieces.without) == (3, 3, 4, 2)
    assert found.asked(np.arange(3)).tolist() == [[0, 0], [2, 0]]
    assert found.answering().asked(np.array([1, 0])).tolist() == [[0, 0], [2, 0]]
    assert found.batch(np.array([1, 0, 2])).targets["target_index"].tolist() == [3, 4]
    assert found.told("dev") == "dev texts: of 2 of 4 words this vocabulary makes nothing: no model can read them"
    assert found.counted("dev") == {"windows_dev": 3, "overlapping_texts_dev": 0, "words_without_piece_dev": 2}


def test_a_sentence_of_five_thousand_words_is_read_whole(tmp_path):
    text = " ".join(["Ada", "Lovelace", "wrote", "naïve"] * 1250)
    found = sequences([text, "Ada"], words_of([text, "Ada"]), tmp_path, TOKENIZERS["bytes"], 512, 128)
    assert found.answering().asked(np.arange(len(found)))[:, 0].tolist() == list(range(5001))
    assert (found.texts, found.several, found.lengths.max()) == (2, 1, 512)
    assert len(found) == 2 - (-(found.store.offsets[1] - 510) // (510 - 128))
    assert found.told("test") == "test texts: 1 of 2 are longer than 512 tokens and are read in overlapping windows"


@pytest.mark.parametrize("name", TOKENIZERS)
def test_where_a_model_reads_from_left_to_right_a_words_last_piece_answers_in_the_window_that_shows_most_before_it(name, tmp_path):
    tokenizer, text = TOKENIZERS[name], " ".join(["Ada", "Lovelace", "wrote", "naïve", "U.S."] * 9)
    words = words_of([text], r"\w+|[^\w\s]")
    found, encoding = sequences([text], words, tmp_path, tokenizer, 14, 5, causal=True), tokenizer.encode(text, add_special_tokens=False)
    every, answering = np.arange(len(found)), found.answering()
    asked = answering.asked(every)
    assert asked[:, 0].tolist() == list(range(len(words.values)))
    start, length = found.windows.start, found.windows.length
    places = answering.pieces.place - len(found.prefix)
    window = np.repeat(every, np.diff(answering.pieces.offsets))
    for word, (place, here) in enumerate(zip(places.tolist(), window.tolist(), strict=True)):
        piece = start[here] + place
        overlapped = [
            n for n, (left, right) in enumerate(encoding.offsets) if left < words.values[word, 1] and right > words.values[word, 0]
        ]
        assert piece == overlapped[-1]
        assert place == max(piece - begin for begin, size in zip(start, length, strict=True) if begin <= piece < begin + size)
        assert place >= min(piece, 5)
    # Every piece of a word learns the word's own tag, and what stands before a word learns that.
    assert set(found.asked(every)[:, 1].tolist()) <= {0, -1}
    assert np.array_equal(found.pieces.number, aligned(tokenizer, [text], words, found.store.offsets)[2])


def test_a_tokenizer_that_reads_a_text_in_two_ways_is_refused():
    with pytest.raises(ModelError, match="two ways"):
        aligned(TOKENIZERS["bytes"], ["a b"], Ragged(np.array([[0, 1]]), np.array([0, 1])), np.array([0, 9]))


@settings(deadline=None)
@given(st.lists(st.integers(0, 70), max_size=12), st.integers(2, 30), st.data())
def test_every_token_is_answered_in_one_window_in_order_and_as_far_from_its_ends_as_can_be(lengths, room, data):
    stride = data.draw(st.integers(0, room - 1))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    found = overlapping(offsets, room, stride)
    start, length = found.windows.start, found.windows.length
    assert len(start) == sum(1 + max(0, -(-(n - room) // (room - stride))) for n in lengths)
    assert np.concatenate([np.arange(a, a + n) for a, n in zip(found.first, found.answered, strict=True)] or [[]]).tolist() == list(
        range(offsets[-1])
    )
    assert (found.answered > 0).tolist() == [lengths[document] > 0 for document in found.document]
    for here, (begin, size) in enumerate(zip(start, length, strict=True)):
        document = found.document[here]
        assert offsets[document] <= begin
        assert begin + size <= offsets[document + 1]
        assert size == min(room, lengths[document])
        if here and found.document[here - 1] == document:
            assert start[here - 1] + length[here - 1] - begin >= stride

    def around(window, token):
        """Tokens that a window shows before and after one; where the text itself ends nothing is missing."""
        document = found.document[window]
        before = 10**6 if start[window] == offsets[document] else token - start[window]
        end = start[window] + length[window]
        return min(before, 10**6 if end == offsets[document + 1] else end - 1 - token)

    for here in range(len(start)):
        for token in range(found.first[here], found.first[here] + found.answered[here]):
            shown = [w for w in range(len(start)) if found.document[w] == found.document[here] and start[w] <= token < start[w] + length[w]]
            assert around(here, token) == max(around(window, token) for window in shown)


TOKENS = st.sampled_from(["a", "Ada", "wrote", "😀", "日本", "naïve", "\u200b", "x😀y", "1990-05-03", "Lovelace"])


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(TOKENS, max_size=40), min_size=1, max_size=6),
    st.sampled_from(sorted(TOKENIZERS)),
    st.sampled_from([r"\S+", r"\w+|[^\w\s]"]),
    st.integers(8, 30),
    st.data(),
)
def test_every_word_with_a_piece_is_asked_once_whatever_the_lengths(sentences, name, pattern, length, data):
    tokenizer, texts = TOKENIZERS[name], [" ".join(sentence) for sentence in sentences]
    words = words_of(texts, pattern)
    stride = data.draw(st.one_of(st.none(), st.integers(0, length - 3)))
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    store = TokenStore(
        np.array([each for encoding in ids for each in encoding.ids], dtype=np.uint16),
        np.concatenate([[0], np.cumsum([len(encoding.ids) for encoding in ids])]).astype(np.int64),
    )
    found = word_sequences(store, tokenizer, texts, words, length, stride)
    assert found.lengths.max() <= length
    every, first = np.arange(len(found)), found.answering()
    asked = first.asked(every)
    seen = {
        int(word)
        for item, encoding in enumerate(ids)
        for word in range(*words.offsets[item : item + 2])
        if any(left < words.values[word, 1] and right > words.values[word, 0] for left, right in encoding.offsets)
    }
    assert sorted(asked[:, 0].tolist()) == sorted(seen)
    assert (asked[:, 1] == 0).all()
    assert found.pieces.without == len(words.values) - len(seen)
    assert len({tuple(pair) for pair in found.asked(every).tolist()}) == len(found.pieces.place)
    # Each stands in its batch where its own characters are read.
    batch = first.batch(every)
    tokens = np.concatenate([np.asarray(encoding.ids) for encoding in ids] or [[]])
    piece, word, number = aligned(tokenizer, texts, words, store.offsets)
    own = dict(zip(word[number == 0].tolist(), tokens[piece[number == 0]].tolist(), strict=True))
    assert batch.input_ids[batch.targets["target_index"]].tolist() == [own[number] for number in asked[:, 0].tolist()]
    assert (np.diff(batch.targets["target_index"]) >= 0).all()


def test_windows_that_cannot_overlap_so_far_are_refused():
    with pytest.raises(SettingsError, match="stride: windows of 6 tokens cannot overlap by 6"):
        overlapping(np.array([0, 9]), 6, 6)
