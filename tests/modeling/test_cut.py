"""What a model of some of another's layers keeps; that it computes what they compute is in test_every_family.py."""

from acclimate.modeling.cut_layers import cut_layers
from acclimate.modeling.imported_base import import_base


def test_a_pooler_and_a_head_stay(tiny, base, tmp_path):
    parent = import_base(base(tiny("bert", "base")), tmp_path / "imported")
    assert cut_layers(parent, (1,), tmp_path / "cut").parts == parent.parts == {"encoder", "pooler"}
