"""A model of some of another's layers computes what those layers compute."""

import pytest
import torch
from torch import nn
from transformers import AutoModelForMaskedLM

from acclimate.modeling.cut_layers import cut_layers
from acclimate.modeling.families import FAMILIES, family_of
from acclimate.modeling.folder import import_base
from acclimate.modeling.layers import layers_of

INDIVIDUAL = [family.model_type for family in FAMILIES if family.supported and not family.shares_layers]


@pytest.mark.parametrize("name", INDIVIDUAL)
def test_every_family_computes_what_its_kept_layers_compute(name, tiny, base, tmp_path):
    parent = import_base(base(tiny(name, "mlm")), tmp_path / "imported")
    cut = cut_layers(parent, (0, 2), tmp_path / "cut")
    loaded, info = AutoModelForMaskedLM.from_pretrained(cut.path, output_loading_info=True, attn_implementation="eager")
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    whole = AutoModelForMaskedLM.from_pretrained(parent.path, attn_implementation="eager").eval()
    body = whole.base_model
    kept = layers_of(body)
    body.set_submodule(family_of(body.config).layers, nn.ModuleList([kept[0], kept[2]]))
    whole.config.num_hidden_layers = 2
    if getattr(whole.config, "layer_types", None):
        whole.config.layer_types = [whole.config.layer_types[number] for number in (0, 2)]
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        expected, got = whole(ids).logits, loaded.eval()(ids).logits
    torch.testing.assert_close(got, expected, rtol=0, atol=0)


def test_an_architecture_with_one_layer_runs_it_less_often(tiny, base, tmp_path):
    parent = import_base(base(tiny("albert", "mlm")), tmp_path / "imported")
    cut = cut_layers(parent, (0, 2), tmp_path / "cut")
    assert cut.config["num_hidden_layers"] == 2
    assert cut.names == parent.names


def test_a_pooler_and_a_head_stay(tiny, base, tmp_path):
    parent = import_base(base(tiny("bert", "base")), tmp_path / "imported")
    assert cut_layers(parent, (1,), tmp_path / "cut").parts == parent.parts == {"encoder", "pooler"}
