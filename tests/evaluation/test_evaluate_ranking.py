"""Whom `evaluate` asks for documents: what gives vectors that nothing answers on, and whatever gives vectors on a BEIR folder."""

import json

import pytest

from acclimate.evaluation.evaluate_ranking import ranks
from acclimate.modeling.base_files import KIND, VECTORS
from acclimate.modeling.embedding_form import EMBEDDING

FORM = {EMBEDDING: {"pooling": "mean"}}
CLASSIFIER = {"architectures": ["BertForSequenceClassification"], "problem_type": "single_label_classification"}
BARE = {"architectures": ["BertModel"]}


@pytest.mark.parametrize(
    ("config", "on_rows", "on_a_beir_folder"),
    [
        (BARE | FORM | {KIND: "retrieve", VECTORS: {"head": None}}, True, True),
        ({"model_type": "acclimate-bm25", KIND: "retrieve"}, True, True),
        (BARE | FORM, True, True),
        (BARE, False, True),
        (BARE | FORM | {KIND: "classify", VECTORS: {"head": "logistic"}}, False, True),
        (BARE | FORM | CLASSIFIER, False, True),  # fine-tuned after embed
        (CLASSIFIER, False, False),
    ],
)
def test_what_a_folder_says_decides_on_rows_and_what_it_gives_on_a_beir_folder(config, on_rows, on_a_beir_folder, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config))
    for name in ("corpus.jsonl", "queries.jsonl"):
        (tmp_path / name).write_text("")
    assert ranks(tmp_path, "rows.jsonl") is on_rows
    assert ranks(tmp_path, str(tmp_path)) is on_a_beir_folder
