"""Maps of attention are transformers' own, whatever the family runs on elsewhere, and tokens are told in words of the text."""

import pytest
import torch
from tests.modeling.conftest import KINDS, make_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoModel

from acclimate.modeling.attention_maps import AttentionReader, pieces_of
from acclimate.modeling.imported_base import import_base

TEXTS = ("w1 w2 w3 w4 w5 w6 w7 w8 w9", "w9 w3 w30")


@pytest.mark.measured(2)
@pytest.mark.parametrize("name", KINDS)
def test_maps_equal_the_untouched_models_on_a_padded_batch(tiny, base, tmp_path, name):
    source = base(tiny(name, "mlm"))
    reader = AttentionReader(import_base(source, tmp_path / "folder"))
    plain = AutoModel.from_pretrained(source.folder, attn_implementation="eager").eval()
    read = [reader.pieces(text) for text in TEXTS]
    padded = torch.full((len(read), max(len(pieces.ids) for pieces in read)), plain.config.pad_token_id or 0)
    for row, pieces in enumerate(read):
        padded[row, : len(pieces.ids)] = torch.tensor(pieces.ids)
    mask = torch.tensor([[int(place < len(pieces.ids)) for place in range(padded.shape[1])] for pieces in read])
    with torch.no_grad():
        wanted = plain(input_ids=padded, attention_mask=mask, output_attentions=True, output_hidden_states=True)
    for row, pieces in enumerate(read):
        found, length = reader.read(pieces), len(pieces.ids)
        assert found.maps.shape == (reader.layers, reader.heads, length, length) == (3, 2, length, length)
        torch.testing.assert_close(found.maps, torch.stack(wanted.attentions)[:, row, :, :length, :length], rtol=0, atol=1e-6)
        torch.testing.assert_close(found.states, torch.stack(wanted.hidden_states[1:])[:, row, :length], rtol=0, atol=1e-5)
        torch.testing.assert_close(found.maps.sum(-1), torch.ones(3, 2, length))


def test_dropout_is_off_and_weights_are_read_as_float32(tiny, base, tmp_path):
    reader = AttentionReader(import_base(base(tiny("bert", "mlm", dropout=0.5).half()), tmp_path / "folder"))
    pieces = reader.pieces(TEXTS[0])
    assert torch.equal(reader.read(pieces).maps, reader.read(pieces).maps)
    assert reader.read(pieces).maps.dtype == torch.float32


def test_a_pair_is_read_as_two_texts(tiny, base, tmp_path):
    source = base(tiny("bert", "mlm"))
    words = Tokenizer.from_file(str(source.folder / "tokenizer.json"))
    pair = "[CLS] $A [SEP] $B:1 [SEP]:1"
    words.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", pair, special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    reader = AttentionReader(import_base(source, tmp_path / "folder"))
    reader.tokenizer = words
    pieces = reader.pieces(("w1 w2", "oh w4"))
    assert pieces.labels == ("[CLS]", "w1", "w2", "[SEP]", "oh", "w4", "[SEP]")
    assert pieces.types == (0, 0, 0, 0, 1, 1, 1)
    assert pieces.first(5).types == (0, 0, 0, 0, 1)
    plain = AutoModel.from_pretrained(source.folder, attn_implementation="eager").eval()
    with torch.no_grad():
        wanted = plain(torch.tensor([pieces.ids]), token_type_ids=torch.tensor([pieces.types]), output_attentions=True).attentions
    torch.testing.assert_close(reader.read(pieces).maps, torch.cat(wanted), rtol=0, atol=1e-6)


def test_tokens_are_told_as_they_stand_in_the_text():
    made = Tokenizer(models.BPE({"Ġ": 0, "f": 1, "i": 2, "l": 3, "m": 4, "fi": 5, "Ã": 6, "©": 7}, [("f", "i")]))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=True), decoders.ByteLevel()
    assert pieces_of(made.encode("film"), "film").labels[1:] == ("##fi", "##l", "##m")
    assert pieces_of(made.encode("é"), "é").labels[1:] == ("##é", "##é")  # a byte each
    pieces = make_tokenizer()
    pieces.no_truncation()
    read = pieces_of(pieces.encode("w3 oh"), "w3 oh")
    assert read.labels == ("[CLS]", "w3", "oh", "[SEP]")
    assert read.words == (None, 0, 1, None)
