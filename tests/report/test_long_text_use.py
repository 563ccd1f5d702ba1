"""The card of a model that reads long texts in windows says how plain transformers does the same, since its pipeline cuts them."""

import json

from tests.report.test_card import BETTER, FACTS, SCORES, Make, chain_of, steps

from acclimate.report.pages.card import write_card
from acclimate.tasks.classify import Classify


def test_the_card_reads_windows_where_the_model_learned_so_and_cuts_where_it_did_not(results_of: Make, tmp_path) -> None:  # type: ignore[no-untyped-def]
    config = {"model_type": "bert", "architectures": ["BertForSequenceClassification"], "acclimate_max_length": 128}
    (tmp_path / "config.json").write_text(json.dumps(config))
    chain = chain_of(results_of(SCORES, BETTER, stages=steps(), **FACTS, **Classify.about()))
    assert "pipeline(" in write_card(tmp_path, chain).read_text()
    (tmp_path / "config.json").write_text(json.dumps(config | {"acclimate_pool": "max", "acclimate_stride": 32}))
    text = write_card(tmp_path, chain).read_text()
    assert "pipeline(" not in text
    assert "max_length=128, stride=32, return_overflowing_tokens=True" in text
    assert "return found.amax(0) / found.amax(0).sum()" in text
    assert "print(dict(zip(model.config.id2label.values(), found.tolist())))" in text
    config |= {"acclimate_pool": "max", "acclimate_stride": 32, "acclimate_thresholds": [0.2, 0.8]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    text = write_card(tmp_path, chain).read_text()
    assert "print(model.config.id2label[int((found / thresholds).argmax())])" in text
    assert "pipeline(" not in text
