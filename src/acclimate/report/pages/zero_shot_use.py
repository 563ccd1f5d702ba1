"""What the card of a model tells that answers without labels: how plain transformers asks it, and what the hub calls that."""

import json
from typing import Any

from acclimate.modeling.hypotheses import Hypotheses

TAG = "zero-shot-classification"


def told_of(hypotheses: Hypotheses, length: int | None) -> dict[str, Any]:
    """What replaces the kind of task's own words on a card; `length`: the tokens to which a text is cut."""
    return {"tag": TAG, "plain_use": _plain_use(hypotheses, length)}


def _plain_use(hypotheses: Hypotheses, length: int | None) -> str:
    cut = "" if length is None else f"classify.tokenizer.model_max_length = {length}  # longer texts are cut, never what is asked of them\n"
    words = json.dumps(dict(zip(hypotheses.candidates, hypotheses.labels, strict=True)), ensure_ascii=False, indent=4)
    template = json.dumps(hypotheses.template, ensure_ascii=False)
    several = ", multi_label=True" if hypotheses.several else ""
    return f"""\
from transformers import pipeline

classify = pipeline("{TAG}", model=".")  # "." is this folder; a hub id serves as well
{cut}labels = {words}  # what is asked -> what it is called
answer = classify("a text to label", candidate_labels=list(labels), hypothesis_template={template}{several})
print([(labels[asked], score) for asked, score in zip(answer["labels"], answer["scores"])])"""
