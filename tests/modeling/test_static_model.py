"""Static vectors: a text has the mean of its entries' vectors, distilled ones and those of a file."""

import gzip

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from acclimate.errors import DataError, ModelError
from acclimate.modeling.baselines.static_model import StaticModel, StaticVectors, distilled, from_file, read_static, write_static
from acclimate.modeling.vector_heads import Cosine, write_head

GLOVE = "the 1 0 0\nship 0 2 0\nU.S. 0 0 3\nnew york 1 1 1\n"


def words(*names):
    tokenizer = Tokenizer(WordLevel({name: number for number, name in enumerate(("[UNK]", *names))}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.add_special_tokens(["[UNK]"])
    return tokenizer


def test_a_text_has_the_mean_of_its_tokens_of_length_one_and_the_unknown_counts_nothing():
    texts = StaticVectors(words("a", "b"), np.array([[0, 0], [1, 0], [0, 2]], np.float32))
    seen = []
    found = texts.vectors(["a b", "a", "a what", "what", ""], each=lambda *counts: seen.append(counts))
    expected = np.array([[1 / np.sqrt(5), 2 / np.sqrt(5)], [1, 0], [1, 0], [0, 0], [0, 0]])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert seen == [(2, 0), (1, 0), (2, 1), (1, 1), (0, 0)]


def test_principal_components_are_those_of_numpy_and_an_entry_counts_by_its_rank():
    states = np.random.default_rng(0).normal(size=(6, 4))
    made = distilled(words("a", "b", "c", "d", "e"), states, 3, zipf=False).rows
    centred = states[1:] - states[1:].mean(axis=0)
    _, _, components = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(made[1:]), np.abs(centred @ components[:3].T), atol=1e-5)
    assert not made[0].any()
    weighted = distilled(words("a", "b", "c", "d", "e"), states, 3, zipf=True).rows
    np.testing.assert_allclose(weighted[1:], made[1:] * np.log([2, 3, 4, 5, 6])[:, None], atol=1e-5)
    assert distilled(words("a", "b", "c", "d", "e"), states, 99, zipf=True).rows.shape == (6, 4)


def test_vectors_of_words_are_read_from_a_file_as_it_comes(tmp_path):
    (tmp_path / "words.txt").write_text(GLOVE + "ship 9 9 9\n")
    with gzip.open(tmp_path / "words.txt.gz", "wt") as file:
        file.write("4 3\n" + GLOVE)
    plain, repeated = from_file(tmp_path / "words.txt", 3, zipf=False)
    assert repeated == 1
    np.testing.assert_allclose(plain.vectors(["ship", "ship ship", "The", "nothing"]), [[0, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]])
    packed, repeated = from_file(tmp_path / "words.txt.gz", 3, zipf=False)
    assert repeated == 0
    np.testing.assert_array_equal(packed.vectors(["ship the"]), plain.vectors(["ship the"]))
    (tmp_path / "lower.txt").write_text(GLOVE.lower())
    np.testing.assert_allclose(from_file(tmp_path / "lower.txt", 3, zipf=False)[0].vectors(["The SHIP."])[0] ** 2, [0.2, 0.8, 0], atol=1e-6)


@pytest.mark.parametrize(("line", "told"), [("wave 1 2", "a:2: a word"), ("wave 1 2 x", "a:2: a word"), ("wave 1 2 nan", "a:2: a word")])
def test_a_line_that_is_no_vector_is_named(line, told, tmp_path):
    (tmp_path / "a").write_text(f"the 1 0 0\n{line}\n")
    with pytest.raises(DataError, match=told):
        from_file(tmp_path / "a", None, zipf=True)


def test_it_is_read_as_it_was_written_and_refused_where_files_do_not_belong_together(tmp_path):
    texts = StaticVectors(words("a", "b"), np.array([[0, 0], [1, 0], [0, 2]], np.float32))
    write_static(tmp_path / "one", texts)
    with pytest.raises(ModelError, match="answers no task"):
        StaticModel.load(tmp_path / "one")
    write_head(tmp_path / "one", Cosine(("score",)), 2)
    np.testing.assert_allclose(StaticModel.load(tmp_path / "one").probabilities(["a", "a"], ["a", "b"]), [[1], [0]], atol=1e-6)
    write_static(tmp_path / "two", StaticVectors(words("a", "b", "c"), texts.rows))
    with pytest.raises(ModelError, match="do not belong together"):
        read_static(tmp_path / "two")
