"""What a study says of where it ran."""

from acclimate.study.run import gpus


def test_the_graphics_cards_that_stages_ran_on_are_named_with_their_precision():
    card = {"device": "NVIDIA H100 80GB HBM3", "precision": "bf16"}
    assert gpus([{"device": "cpu", "precision": "float32"}, {"title": "an old record"}]) == {}
    assert gpus([card, {"device": "cpu", "precision": "float32"}, card]) == {"gpu": "NVIDIA H100 80GB HBM3 (bf16)"}
