"""Pairs are read as transformers reads them: special tokens, segments, and what is cut where both texts do not fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.modeling.conftest import make_tokenizer
from tokenizers import processors
from transformers import PreTrainedTokenizerFast

from acclimate.data.batches import assemble
from acclimate.data.model_inputs import sequences_of
from acclimate.data.pairs import longest_first, pair_marks
from acclimate.data.ragged import offsets_of
from acclimate.data.tokens import TokenStore, encoded
from acclimate.errors import ModelError, SettingsError

CLS, SEP = ("[CLS]", 2), ("[SEP]", 3)


def template(single, pair):
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=[CLS, SEP])


POST = {
    "bert, electra, albert, deberta": template("[CLS] $A [SEP]", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"),
    "as its own class": processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2)),
    "roberta": processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2)),
    "mpnet": template("[CLS] $A [SEP]", "[CLS]:0 $A:0 [SEP]:0 [SEP]:0 $B:1 [SEP]:1"),
    "nothing around": template("$A", "$A:0 [SEP]:0 $B:1"),
    "the second first": template("$A [SEP] [CLS]", "$A:0 [SEP]:0 $B:1 [SEP]:1 [CLS]:2"),
}


def with_post(post):
    tokenizer = make_tokenizer()
    tokenizer.post_processor = post
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def store_of(tokenizer, texts):
    ids, lengths = encoded(tokenizer, texts)
    return TokenStore(ids.astype(np.uint32), offsets_of(lengths))


def words(count, first=0):
    return " ".join(f"w{(first + number) % 50}" for number in range(count))


@pytest.mark.parametrize("name", POST)
@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=6),
    st.integers(6, 40),
)
def test_a_batch_of_pairs_is_what_transformers_makes_of_them(name, sizes, length):
    tokenizer = with_post(POST[name])
    texts = ([words(one) for one, _ in sizes], [words(other, 7) for _, other in sizes])
    read = sequences_of([store_of(tokenizer, column) for column in texts], tokenizer, length)
    plain = PreTrainedTokenizerFast(tokenizer_object=with_post(POST[name]))
    expected = plain(*texts, truncation="longest_first", max_length=length, return_token_type_ids=True)
    rows = np.arange(len(sizes))[::-1]
    batch = read.batch(rows)
    for place, row in enumerate(rows):
        its = slice(batch.offsets[place], batch.offsets[place + 1])
        assert batch.input_ids[its].tolist() == expected["input_ids"][row]
        assert batch.token_type_ids[its].tolist() == expected["token_type_ids"][row]
        assert batch.position_ids[its].tolist() == list(range(batch.lengths[place]))
    whole = plain(*texts, return_token_type_ids=True)["input_ids"]
    assert read.cut_tokens == sum(len(one) - len(cut) for one, cut in zip(whole, expected["input_ids"], strict=True))
    assert read.lengths.tolist() == [len(ids) for ids in expected["input_ids"]]


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1), st.integers(2, 120))
def test_what_stays_fits_and_nothing_is_cut_without_need(sizes, room):
    first, second = np.array(sizes).T
    one, other = longest_first(first, second, room)
    assert (one + other == np.minimum(first + second, room)).all()
    assert ((one <= first) & (other <= second) & (one >= 0) & (other >= 0)).all()
    # What is cut is longer than what is left of the other one, or as long.
    assert ((one == first) | (one >= other - 1)).all()
    assert ((other == second) | (other >= one - 1)).all()


def test_a_text_without_tokens_leaves_its_place_empty():
    tokenizer = with_post(POST["roberta"])
    read = sequences_of([store_of(tokenizer, ["", "w1"]), store_of(tokenizer, ["w2", ""])], tokenizer, 20)
    assert read.batch(np.array([0])).input_ids.tolist() == tokenizer.encode("", "w2").ids
    assert read.batch(np.array([1])).input_ids.tolist() == tokenizer.encode("w1", "").ids


def test_single_texts_are_read_as_before():
    tokenizer = with_post(POST["roberta"])
    store = store_of(tokenizer, [words(3), words(9)])
    read = sequences_of([store], tokenizer, 7)
    rows = np.array([1, 0])
    batch, before = read.batch(rows), assemble(store, read.windows, rows, read.prefix, read.suffix)
    assert batch.input_ids.tolist() == before.input_ids.tolist()
    assert batch.token_type_ids is None
    assert read.cut_tokens == 4


def test_targets_and_kept_outputs_are_those_of_the_pairs():
    tokenizer = with_post(POST["roberta"])
    read = sequences_of([store_of(tokenizer, ["w1", "w1 w2"]), store_of(tokenizer, ["w3", "w4"])], tokenizer, 20)
    batch = read.batch(np.array([1, 0]), {"labels": np.array([4, 5])})
    assert batch.targets["labels"].tolist() == [4, 5]
    assert batch.select(np.array([1])).token_type_ids.tolist() == read.batch(np.array([0])).token_type_ids.tolist()


def test_no_room_for_two_texts_is_told():
    tokenizer = with_post(POST["roberta"])
    stores = [store_of(tokenizer, ["w1"]), store_of(tokenizer, ["w2"])]
    assert len(sequences_of(stores, tokenizer, 6).batch(np.array([0])).input_ids) == 6
    with pytest.raises(SettingsError, match="max_length leaves 1 tokens for two texts"):
        sequences_of(stores, tokenizer, 5)


def test_a_tokenizer_that_parts_no_texts_is_refused():
    with pytest.raises(ModelError, match="puts nothing between the two texts of a pair"):
        pair_marks(make_tokenizer())  # it has a template for single texts alone


def test_truncation_of_the_tokenizer_itself_changes_nothing():
    tokenizer = with_post(POST["roberta"])
    bare = pair_marks(tokenizer)
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=30)
    assert pair_marks(tokenizer) == bare
