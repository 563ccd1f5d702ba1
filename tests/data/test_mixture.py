"""Several corpora as one: their names and shares, and their stores one after the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from tokenizers import Tokenizer, models, pre_tokenizers

from acclimate.data.mixture import Mixture, in_words, shares
from acclimate.data.tokens import TokenStore


def tokenizer():
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(["?", "a", "b", "c"])}, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


def store(folder, texts):
    return TokenStore.build(folder, iter(texts), tokenizer(), " ".join(texts) or "none")


@given(st.lists(st.lists(st.text(alphabet="abc ", max_size=8), max_size=5), min_size=2, max_size=4))
def test_joined_stores_hold_the_documents_of_all_in_their_order(tmp_path_factory, corpora):
    folder = tmp_path_factory.mktemp("joined")
    stores = [store(folder / str(number), texts) for number, texts in enumerate(corpora)]
    joined = TokenStore.join(folder / "all", stores, "key")
    expected = [list(each[number]) for each in stores for number in range(each.documents)]
    assert [list(joined[number]) for number in range(joined.documents)] == expected
    assert joined.bytes == sum(len(text.encode()) for texts in corpora for text in texts)


def test_one_store_is_joined_with_nothing_and_several_are_written_once(tmp_path):
    first, second = store(tmp_path / "1", ["a b"]), store(tmp_path / "2", ["c"])
    assert TokenStore.join(tmp_path / "all", [first], "key") is first
    assert not (tmp_path / "all").exists()
    TokenStore.join(tmp_path / "all", [first, second], "key")
    written = (tmp_path / "all/tokens.bin").stat().st_mtime_ns
    assert np.array_equal(TokenStore.join(tmp_path / "all", [first, second], "key").tokens, [1, 2, 3])
    assert (tmp_path / "all/tokens.bin").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("mixture", "words"),
    [
        ("wiki", "wiki"),
        ({"wiki": 1, "talks": 0.25}, "wiki and talks"),
        ({"a": 1, "b": 1, "c": 2}, "a, b and c"),
        (dict.fromkeys("abcd", 1.0), "4 corpora"),
    ],
)
def test_a_mixture_in_words(mixture, words):
    assert in_words(mixture) == words


def test_a_single_corpus_is_read_once_an_epoch():
    assert shares("wiki") == {"wiki": 1.0}


def test_one_corpus_read_once_is_that_corpus_however_it_is_written():
    written = TypeAdapter(Mixture)
    assert written.validate_python({"wiki": 1}) == "wiki"
    assert written.validate_python({"wiki": 0.5}) == {"wiki": 0.5}
