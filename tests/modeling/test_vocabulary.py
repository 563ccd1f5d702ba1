"""A model with a cut vocabulary gives what the whole one gave: every family and kind of vocabulary, with plain transformers, too."""

import json

import pytest
import torch
from tests.modeling.conftest import DECODERS, KINDS
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    AlbertTokenizer,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoTokenizer,
    BertTokenizer,
    CamembertTokenizer,
    DebertaTokenizer,
    DebertaV2Tokenizer,
    MPNetTokenizer,
    PreTrainedTokenizerFast,
    RobertaTokenizer,
    XLMRobertaTokenizer,
)

from acclimate.data.vocabularies.smaller import chosen, entries, necessary, reduced
from acclimate.errors import ModelError
from acclimate.modeling.cut_vocabulary import cut_vocabulary, named_ids
from acclimate.modeling.folder import ModelFolder, save_model
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import load_classifier, load_mlm, load_trained_classifier
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.source import resolve_base
from acclimate.modeling.vocabulary_rows import vocabulary_axes

pytestmark = pytest.mark.measured(0)

SENTENCES = [
    "the market fell and the bank lost a share of its profit", "a goal in the last minute won the cup for the team",
    "the singer and her band record a new album in the studio", "growth of the fund was slow, said the bank's analysts",
    "players of the league score, win and lose on the same day", "an old song climbs the charts again: nobody knows why",
]  # fmt: skip
USED = SENTENCES[:2]
BERT = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def learnt(model, size, **settings):
    """(entries with their ids or scores, merges) that a model of the library learns."""
    tokenizer = Tokenizer(model)
    metaspace = isinstance(model, models.Unigram)
    if isinstance(model, models.BPE):
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **settings, show_progress=False
        )
    elif metaspace:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=size, **settings, show_progress=False)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=size, **settings, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    written = json.loads(tokenizer.to_str())["model"]
    return written["vocab"], [tuple(pair) for pair in written.get("merges", [])]


def wordpieces(special):
    vocabulary, _ = learnt(models.WordPiece(unk_token="[UNK]"), 200, special_tokens=special)
    return vocabulary


def scored(special, unknown):
    pieces, _ = learnt(models.Unigram(), 90, special_tokens=special, unk_token=unknown)
    return [(piece, score) for piece, score in pieces]


def tokenizer_of(name):
    if name in ("bert", "distilbert", "electra"):
        return BertTokenizer(vocab=wordpieces(BERT))
    if name == "mpnet":
        return MPNetTokenizer(vocab=wordpieces(["<s>", "<pad>", "</s>", "<unk>", "[UNK]", "<mask>"]))
    if name == "albert":
        return AlbertTokenizer(vocab=scored(["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"], "<unk>"))
    if name == "deberta-v2":
        return DebertaV2Tokenizer(vocab=scored(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], "[UNK]"))
    if name == "camembert":
        return CamembertTokenizer(vocab=scored(["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>"], "<unk>"))
    if name == "xlm-roberta":
        return XLMRobertaTokenizer(vocab=scored(["<s>", "<pad>", "</s>", "<unk>"], "<unk>"))
    if name == "modernbert":  # its special tokens stand behind the others, and are no part of the BPE model
        vocabulary, merges = learnt(models.BPE(), 400)
        tokenizer = Tokenizer(models.BPE(vocabulary, merges))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.add_special_tokens(["[UNK]", "[CLS]", "[SEP]", "[PAD]", AddedToken("[MASK]", lstrip=True)])
        ends = [(end, tokenizer.token_to_id(end)) for end in ("[CLS]", "[SEP]")]
        tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
        named = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]"}
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)
    if name in DECODERS:  # as GPT-2: nothing is put around texts, and one token begins and ends them
        vocabulary, merges = learnt(models.BPE(), 400, special_tokens=["<|endoftext|>"])
        tokenizer = Tokenizer(models.BPE(vocabulary, merges))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", bos_token="<|endoftext|>")
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] if name == "roberta" else ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    vocabulary, merges = learnt(models.BPE(), 400, special_tokens=special)
    return (RobertaTokenizer if name == "roberta" else DebertaTokenizer)(vocab=vocabulary, merges=merges)


def imported(name, tiny, tmp_path, **changes):
    """A tiny model of a family with a vocabulary of the kind that its own models have."""
    tokenizer = tokenizer_of(name)
    size = len(tokenizer)
    if name == "modernbert":
        changes |= {"pad_token_id": tokenizer.pad_token_id, "cls_token_id": tokenizer.cls_token_id, "sep_token_id": tokenizer.sep_token_id}
    if name in DECODERS:
        changes |= dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), tokenizer.eos_token_id)
    model = tiny(name, "mlm", vocab_size=size, **changes)
    model.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    return import_base(resolve_base("base", tmp_path), tmp_path / "imported")


def cut(folder, output, size=None):
    tokenizer = folder.tokenizer()
    counts = torch.bincount(
        torch.tensor([number for text in USED for number in tokenizer.encode(text).ids]), minlength=entries(tokenizer)
    ).numpy()
    kept = chosen(tokenizer, counts, necessary(tokenizer, named_ids(folder)), size or entries(tokenizer))
    assert len(kept) < entries(tokenizer)
    return kept, cut_vocabulary(folder, kept, reduced(tokenizer, kept), output)


def masked(tokenizer, text):
    ids = tokenizer.encode(text).ids
    ids[2] = next(number for name in ("[MASK]", "<mask>") if (number := tokenizer.token_to_id(name)) is not None)
    return torch.tensor([ids])


def answers(model, ids):
    model.eval()
    with torch.no_grad():
        out = model(ids, output_hidden_states=True)
    return out.hidden_states, out.logits


@pytest.mark.parametrize("name", KINDS)
def test_hidden_states_and_logits_of_what_stays_are_what_they_were(name, tiny, tmp_path):
    folder = imported(name, tiny, tmp_path)
    kept, smaller = cut(folder, tmp_path / "smaller")
    whole, _ = load_mlm(folder, seed=0)
    pruned, fresh = load_mlm(smaller, seed=0)
    assert not fresh
    assert smaller.parts == folder.parts
    assert pruned.get_input_embeddings().num_embeddings == len(kept)
    plain = AutoModelForMaskedLM.from_pretrained(smaller.path)
    for text in USED:
        old, new = masked(folder.tokenizer(), text), masked(smaller.tokenizer(), text)
        assert kept[new[0].numpy()].tolist() == old[0].tolist()
        hidden, logits = answers(whole, old)
        hidden_after, logits_after = answers(pruned, new)
        assert all(torch.equal(one, two) for one, two in zip(hidden, hidden_after, strict=True))
        torch.testing.assert_close(logits_after, logits[..., torch.from_numpy(kept)], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(answers(plain, new), (hidden_after, logits_after), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", DECODERS)
def test_what_comes_next_is_as_likely_among_what_stays(name, tiny, tmp_path):
    folder = imported(name, tiny, tmp_path)
    kept, smaller = cut(folder, tmp_path / "smaller")
    whole, pruned = (AutoModelForCausalLM.from_pretrained(each.path).eval() for each in (folder, smaller))
    assert kept[pruned.config.eos_token_id] == whole.config.eos_token_id
    for text in USED:
        old, new = (torch.tensor([each.tokenizer().encode(text).ids]) for each in (folder, smaller))
        assert kept[new[0].numpy()].tolist() == old[0].tolist()
        with torch.no_grad():
            torch.testing.assert_close(pruned(new).logits, whole(old).logits[..., torch.from_numpy(kept)], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", KINDS)
def test_plain_transformers_reads_the_same_ids(name, tiny, tmp_path):
    folder = imported(name, tiny, tmp_path)
    before = AutoTokenizer.from_pretrained(folder.path)
    _, smaller = cut(folder, tmp_path / "smaller")
    plain = AutoTokenizer.from_pretrained(smaller.path)
    assert type(plain) is type(before)
    assert plain.get_vocab() == smaller.tokenizer().get_vocab()
    assert plain.all_special_tokens == before.all_special_tokens
    for text in [*SENTENCES, f"the {plain.mask_token} fell"]:
        assert plain(text)["input_ids"] == smaller.tokenizer().encode(text).ids
    assert max(plain.get_vocab().values()) < smaller.config["vocab_size"]
    if before.pad_token_id == folder.architecture.config.pad_token_id:
        assert smaller.architecture.config.pad_token_id == plain.pad_token_id


@pytest.mark.parametrize("name", KINDS)
def test_every_tensor_with_a_row_an_entry_is_found(name, tiny, tmp_path):
    folder = imported(name, tiny, tmp_path)
    rows = folder.config["vocab_size"]
    found = {tensor: shape.index(rows) for tensor, shape in ((n, list(t.shape)) for n, t in folder.tensors().items()) if rows in shape}
    axes = vocabulary_axes(folder.architecture)
    assert len(found) >= 2
    assert {tensor: axes[tensor] for tensor in found} == found


def test_an_untied_decoder_is_cut_with_the_embeddings(tiny, tmp_path):
    folder = imported("bert", tiny, tmp_path, tie_word_embeddings=False)
    kept, smaller = cut(folder, tmp_path / "smaller")
    for name in ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"):
        assert torch.equal(smaller.tensors()[name], folder.tensors()[name][torch.from_numpy(kept)])


def test_a_body_without_a_head_is_cut(tiny, tmp_path):
    tokenizer = tokenizer_of("bert")
    tiny("bert", "base", vocab_size=len(tokenizer)).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    folder = import_base(resolve_base("base", tmp_path), tmp_path / "imported")
    kept, smaller = cut(folder, tmp_path / "smaller")
    assert smaller.parts == {"encoder", "pooler"}
    assert smaller.config["vocab_size"] == len(kept)


def test_heads_that_are_carried_go_along(tiny, tmp_path):
    folder = imported("modernbert", tiny, tmp_path)
    tuned = save_model(tmp_path / "tuned", folder, load_classifier(folder, ("no", "yes"), HeadSettings(), 0, None))
    kept, smaller = cut(tuned, tmp_path / "smaller")
    assert smaller.parts == {"encoder", "mlm", "classifier"}
    old, new = (torch.tensor([each.tokenizer().encode(USED[0]).ids]) for each in (tuned, smaller))
    with torch.no_grad():
        assert torch.equal(load_trained_classifier(smaller)(new).logits, load_trained_classifier(tuned)(old).logits)
        logits = load_mlm(tuned, 0)[0].eval()(old).logits
        torch.testing.assert_close(load_mlm(smaller, 0)[0].eval()(new).logits, logits[..., torch.from_numpy(kept)], rtol=1e-5, atol=1e-5)


def test_rows_without_an_entry_go_unless_the_configuration_names_them(tiny, tmp_path):
    tokenizer = tokenizer_of("bert")
    rows = len(tokenizer) + 10
    model = tiny("bert", "mlm", vocab_size=rows, pad_token_id=rows - 2)
    model.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    folder = import_base(resolve_base("base", tmp_path), tmp_path / "imported")
    kept, smaller = cut(folder, tmp_path / "smaller")
    assert smaller.config["vocab_size"] == len(kept) + 1
    assert smaller.config["pad_token_id"] == len(kept)
    name = "bert.embeddings.word_embeddings.weight"
    assert torch.equal(smaller.tensors()[name][-1], folder.tensors()[name][rows - 2])


def test_a_tokenizer_that_plain_transformers_cannot_read_is_refused(tiny, tmp_path):
    folder = imported("bert", tiny, tmp_path)
    (folder.path / "tokenizer_config.json").write_text("{")
    with pytest.raises(ModelError, match="cannot read this tokenizer"):
        named_ids(ModelFolder(folder.path))
