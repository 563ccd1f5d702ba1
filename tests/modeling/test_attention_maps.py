"""Maps of attention are transformers' own, whatever the family runs on elsewhere, and tokens are told in words of the text."""

import pytest
import torch
from tests.modeling.conftest import KINDS, make_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
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
    read = [reader.pieces(text).ids for text in TEXTS]
    padded = torch.full((len(read), max(map(len, read))), plain.config.pad_token_id or 0)
    for row, ids in enumerate(read):
        padded[row, : len(ids)] = torch.tensor(ids)
    mask = torch.tensor([[int(place < len(ids)) for place in range(padded.shape[1])] for ids in read])
    with torch.no_grad():
        wanted = plain(input_ids=padded, attention_mask=mask, output_attentions=True, output_hidden_states=True)
    for row, ids in enumerate(read):
        found, length = reader.read(ids), len(ids)
        assert found.maps.shape == (reader.layers, reader.heads, length, length) == (3, 2, length, length)
        torch.testing.assert_close(found.maps, torch.stack(wanted.attentions)[:, row, :, :length, :length], rtol=0, atol=1e-6)
        torch.testing.assert_close(found.states, torch.stack(wanted.hidden_states[1:])[:, row, :length], rtol=0, atol=1e-5)
        torch.testing.assert_close(found.maps.sum(-1), torch.ones(3, 2, length))


def test_dropout_is_off_and_weights_are_read_as_float32(tiny, base, tmp_path):
    reader = AttentionReader(import_base(base(tiny("bert", "mlm", dropout=0.5).half()), tmp_path / "folder"))
    ids = reader.pieces(TEXTS[0]).ids
    assert torch.equal(reader.read(ids).maps, reader.read(ids).maps)
    assert reader.read(ids).maps.dtype == torch.float32


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
