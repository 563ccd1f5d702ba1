"""A model with new words gives for other texts what it gave before: every family and kind of vocabulary, with plain transformers, too."""

import numpy as np
import pytest
import torch
from hypothesis import given
from tests.modeling.conftest import DECODERS, KINDS
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

from acclimate.data.vocabularies.larger import Spelling, enlarged
from acclimate.data.vocabularies.mined import Rules, candidates, count_chunks, count_words
from acclimate.data.vocabularies.smaller import chosen, entries, necessary, reduced
from acclimate.errors import ModelError
from acclimate.modeling.cut_vocabulary import cut_vocabulary, named_ids
from acclimate.modeling.folder import ModelFolder, save_model
from acclimate.modeling.grown_vocabulary import grow_vocabulary
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import load_classifier, load_mlm, load_trained_classifier
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.source import resolve_base

from .test_vocabulary import SENTENCES, USED, answers, imported, masked, tokenizer_of
from .unicode_texts import NEWS, few, unicode_texts

pytestmark = pytest.mark.measured(1)


def grown(folder, output, init="mean", count=4):
    """(the new entries, the folder with them): words of the news that the tokenizer breaks."""
    tokenizer = folder.tokenizer()
    spelling = Spelling(tokenizer)
    found = candidates(tokenizer, spelling, count_words(count_chunks(NEWS), spelling, Rules(1)), 1)
    larger, new = enlarged(tokenizer, [each.entry for each in found[:count]])
    assert sum(entry.word for entry in new) == count
    return new, grow_vocabulary(folder, larger, new, init, np.random.default_rng(0), output)


@pytest.mark.parametrize("name", KINDS)
def test_texts_without_a_new_word_give_what_they_gave_and_news_get_shorter(name, tiny, tmp_path):
    folder = imported(name, tiny, tmp_path)
    new, larger = grown(folder, tmp_path / "larger")
    before, _ = load_mlm(folder, seed=0)
    after, fresh = load_mlm(larger, seed=0)
    assert not fresh
    assert larger.parts == folder.parts
    plain = AutoModelForMaskedLM.from_pretrained(larger.path)
    for text in USED:
        ids = masked(folder.tokenizer(), text)
        assert masked(larger.tokenizer(), text).tolist() == ids.tolist()
        hidden, logits = answers(before, ids)
        hidden_after, logits_after = answers(after, ids)
        assert all(torch.equal(one, two) for one, two in zip(hidden, hidden_after, strict=True))
        torch.testing.assert_close(logits_after[..., : logits.shape[-1]], logits, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(answers(plain, ids), (hidden_after, logits_after), rtol=1e-5, atol=1e-5)
    old, made = (each.tokenizer().encode(NEWS[1]).ids for each in (folder, larger))
    assert len(made) < len(old)
    assert {entry.id for entry in new} & set(made)


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_expects_among_what_it_knew_what_it_expected(name, tiny, tmp_path):
    folder = imported(name, tiny, tmp_path)
    new, larger = grown(folder, tmp_path / "larger")
    before, after = (AutoModelForCausalLM.from_pretrained(each.path).eval() for each in (folder, larger))
    for text in USED:
        ids = torch.tensor([larger.tokenizer().encode(text).ids])
        assert folder.tokenizer().encode(text).ids == ids[0].tolist()
        with torch.no_grad():
            logits, logits_after = before(ids).logits, after(ids).logits
        torch.testing.assert_close(logits_after[..., : logits.shape[-1]], logits, rtol=1e-5, atol=1e-5)
        # What is said of a new word is the mean of what is said of its pieces, as its row is that of theirs.
        for entry in new:
            torch.testing.assert_close(logits_after[..., entry.id], logits[..., list(entry.pieces)].mean(-1), rtol=1e-4, atol=1e-5)
    assert len(larger.tokenizer().encode(NEWS[1]).ids) < len(folder.tokenizer().encode(NEWS[1]).ids)


@pytest.mark.parametrize("name", KINDS)
def test_plain_transformers_reads_the_same_ids(name, tiny, tmp_path):
    folder = imported(name, tiny, tmp_path)
    before = AutoTokenizer.from_pretrained(folder.path)
    _, larger = grown(folder, tmp_path / "larger")
    plain = AutoTokenizer.from_pretrained(larger.path)
    assert type(plain) is type(before)
    assert plain.get_vocab() == larger.tokenizer().get_vocab()
    assert plain.all_special_tokens == before.all_special_tokens
    assert plain.all_special_ids == before.all_special_ids
    for text in [*SENTENCES, *NEWS, f"the {plain.mask_token} soundtrack fell"]:
        assert plain(text)["input_ids"] == larger.tokenizer().encode(text).ids
    ours = larger.tokenizer()

    @few
    @given(text=unicode_texts)
    def reads_alike(text):
        assert plain(text)["input_ids"] == ours.encode(text).ids

    reads_alike()
    assert max(plain.get_vocab().values()) < larger.config["vocab_size"]


@pytest.mark.parametrize("name", ["bert", "roberta", "xlm-roberta"])
def test_a_vocabulary_is_extended_after_it_was_cut_and_cut_after_it_was_extended(name, tiny, tmp_path):
    folder = imported(name, tiny, tmp_path)

    def cut(of, output, texts):
        tokenizer = of.tokenizer()
        counts = torch.bincount(
            torch.tensor([number for text in texts for number in tokenizer.encode(text).ids]), minlength=entries(tokenizer)
        )
        kept = chosen(tokenizer, counts.numpy(), necessary(tokenizer, named_ids(of)), entries(tokenizer))
        return cut_vocabulary(of, kept, reduced(tokenizer, kept), output)

    smaller = cut(folder, tmp_path / "smaller", USED)
    new, larger = grown(smaller, tmp_path / "larger")
    for text in USED:
        assert larger.tokenizer().encode(text).ids == smaller.tokenizer().encode(text).ids
    again = cut(larger, tmp_path / "again", NEWS)
    for text in NEWS:
        assert again.tokenizer().encode(text).tokens == larger.tokenizer().encode(text).tokens
    assert {entry.text for entry in new if entry.word} <= set(again.tokenizer().get_vocab())


def test_rows_begin_as_the_mean_of_what_stood_there_or_like_the_others(tiny, tmp_path):
    folder = imported("bert", tiny, tmp_path, tie_word_embeddings=False)
    old = folder.tensors()
    new, mean = grown(folder, tmp_path / "mean")
    _, random = grown(folder, tmp_path / "random", "random")
    names = (
        "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.weight",
        "cls.predictions.bias",
        "cls.predictions.decoder.bias",
    )
    for name in names:
        for entry in new:
            torch.testing.assert_close(mean.tensors()[name][entry.id], old[name][list(entry.pieces)].mean(dim=0))
        drawn = random.tensors()[name][[entry.id for entry in new]]
        assert not torch.equal(drawn, mean.tensors()[name][[entry.id for entry in new]])
        assert drawn.abs().max() <= (old[name].abs().max() + 4 * old[name].std())
        for made in (mean, random):
            assert torch.equal(made.tensors()[name][: len(old[name])], old[name])
    assert {name for name, tensor in mean.tensors().items() if tensor.shape != old[name].shape} == set(names)


def test_heads_that_are_carried_go_along(tiny, tmp_path):
    folder = imported("modernbert", tiny, tmp_path)
    tuned = save_model(tmp_path / "tuned", folder, load_classifier(folder, ("no", "yes"), HeadSettings(), 0, None))
    _, larger = grown(tuned, tmp_path / "larger")
    assert larger.parts == {"encoder", "mlm", "classifier"}
    ids = torch.tensor([tuned.tokenizer().encode(USED[0]).ids])
    with torch.no_grad():
        assert torch.equal(load_trained_classifier(larger)(ids).logits, load_trained_classifier(tuned)(ids).logits)


def with_rows(tiny, tmp_path, more, **named):
    tokenizer = tokenizer_of("bert")
    tiny("bert", "mlm", vocab_size=len(tokenizer) + more, **named).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    return len(tokenizer), import_base(resolve_base("base", tmp_path), tmp_path / "imported")


def test_rows_in_reserve_are_taken_first(tiny, tmp_path):
    size, folder = with_rows(tiny, tmp_path, 3)
    new, larger = grown(folder, tmp_path / "larger")
    assert [entry.id for entry in new] == list(range(size, size + 4))
    assert larger.config["vocab_size"] == size + 4
    assert ModelFolder(larger.path).tensors()["bert.embeddings.word_embeddings.weight"].shape[0] == size + 4


def test_a_row_that_the_configuration_names_is_not_overwritten(tiny, tmp_path):
    size, folder = with_rows(tiny, tmp_path, 3)
    (folder.path / "config.json").write_text(
        (folder.path / "config.json").read_text().replace('"pad_token_id": 0', f'"pad_token_id": {size + 1}')
    )
    with pytest.raises(ModelError, match=rf"calls the row {size + 1} pad_token_id"):
        grown(ModelFolder(folder.path), tmp_path / "larger")
