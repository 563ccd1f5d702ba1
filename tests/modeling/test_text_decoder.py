"""The decoder of whole texts: packed it is a plain padded decoder with cross-attention, and it begins as the encoder's last layer."""

import pytest
import torch
from torch import nn

from acclimate.data.ragged import offsets_of
from acclimate.modeling.packing import Packing
from acclimate.modeling.text_decoder import decoder_for

LENGTHS = (5, 9, 1, 7)


def stream(vocabulary):
    generator = torch.Generator().manual_seed(0)
    offsets = torch.from_numpy(offsets_of(torch.tensor(LENGTHS).numpy()))
    positions = torch.cat([torch.arange(length) for length in LENGTHS])
    ids = torch.randint(0, vocabulary, (sum(LENGTHS),), generator=generator)
    return ids, Packing(LENGTHS, offsets, positions)


def plainly(decoder, ids, packing, vectors, words):
    """The same layer on a padded rectangle, with torch's own modules of attention; cross-attention has a query and a key of its own."""
    longest, width = max(LENGTHS), decoder.query.in_features
    read = torch.nn.utils.rnn.pad_sequence(torch.split(ids, LENGTHS), batch_first=True)
    before = torch.cat([decoder.begin.expand(len(LENGTHS), 1, -1), words[read[:, :-1]]], dim=1)
    hidden = decoder.norm_first(decoder.widened(before) + decoder.positions(torch.arange(longest)))
    own = nn.MultiheadAttention(width, decoder.heads, batch_first=True)
    own.in_proj_weight.data = torch.cat([layer.weight for layer in (decoder.query, decoder.key, decoder.value)])
    own.in_proj_bias.data = torch.cat([layer.bias for layer in (decoder.query, decoder.key, decoder.value)])
    own.out_proj.weight.data, own.out_proj.bias.data = decoder.attended.weight, decoder.attended.bias
    causal = torch.ones(longest, longest, dtype=torch.bool).triu(1)
    hidden = decoder.norm_attended(hidden + own(hidden, hidden, hidden, attn_mask=causal)[0])
    cross = nn.MultiheadAttention(width, decoder.heads, vdim=vectors.shape[1], kdim=vectors.shape[1], batch_first=True)
    cross.v_proj_weight.data = decoder.seen.weight
    cross.in_proj_bias.data[2 * width :] = decoder.seen.bias
    cross.out_proj.weight.data, cross.out_proj.bias.data = decoder.told.weight, decoder.told.bias
    hidden = decoder.norm_told(hidden + cross(hidden, vectors[:, None], vectors[:, None])[0])
    hidden = decoder.norm_last(hidden + decoder.narrow(nn.functional.gelu(decoder.wide(hidden))))
    padded = decoder.norm_transformed(nn.functional.gelu(decoder.transform(hidden)))
    return torch.cat([row[:length] for row, length in zip(padded, LENGTHS, strict=True)])


@pytest.mark.parametrize("name", ["bert", "roberta", "modernbert", "electra", "albert", "distilbert"])
def test_packed_it_is_a_plain_padded_decoder_with_attention_to_the_vector(tiny, name):
    base = tiny(name, "base")
    decoder, words = decoder_for(base, 10, 20, seed=1), base.get_input_embeddings().weight
    ids, packing = stream(len(words))
    vectors = torch.randn(len(LENGTHS), 10, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(
            decoder(ids, packing, vectors, words), plainly(decoder, ids, packing, vectors, words), rtol=1e-5, atol=1e-5
        )


def test_what_fits_is_the_encoders_and_the_rest_comes_from_the_seed(tiny):
    base = tiny("roberta", "base")
    decoder, last = decoder_for(base, 16, 40, seed=1), base.encoder.layer[-1]
    assert torch.equal(decoder.query.weight, last.attention.self.query.weight)
    assert torch.equal(decoder.norm_last.bias, last.output.LayerNorm.bias)
    shifted = base.embeddings.position_embeddings.weight[2:42] + base.embeddings.token_type_embeddings.weight[0]
    assert torch.equal(decoder.positions.weight, shifted)
    again, other = decoder_for(base, 16, 40, seed=1), decoder_for(base, 16, 40, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(decoder.parameters(), again.parameters(), strict=True))
    assert not torch.equal(decoder.seen.weight, other.seen.weight)
    drawn = decoder_for(tiny("modernbert", "base"), 16, 40, seed=1)
    assert drawn.query.weight.std().item() == pytest.approx(0.02, rel=0.2)
