"""What the card of a model tells that reads texts whole, in windows: how plain transformers does the same, which its pipeline does not."""

from typing import Any

from acclimate.evaluation.pooling import Pool


def told_of(pool: Pool, stride: int, length: int, problem: str) -> dict[str, Any]:
    """What replaces the kind of task's own words on a card; `problem` is the `problem_type` of transformers."""
    several = problem == "multi_label_classification"
    found = "found.mean(0)"
    if pool == "max":
        found = "found.amax(0)" if several else "found.amax(0) / found.amax(0).sum()"
    code = f"""\
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

# "." is this folder; a hub id serves as well. The pipeline of transformers would cut a text to {length} tokens; this reads all of it.
tokenizer, model = AutoTokenizer.from_pretrained("."), AutoModelForSequenceClassification.from_pretrained(".").eval()

def probabilities(text):
    cut = dict(truncation=True, max_length={length}, stride={stride}, return_overflowing_tokens=True)
    windows = tokenizer(text, **cut, padding=True, return_tensors="pt")
    windows.pop("overflow_to_sample_mapping")
    with torch.no_grad():
        found = model(**windows).logits.{"sigmoid()" if several else "softmax(-1)"}
    return {found}

found = probabilities("a text to label")
"""
    names = "model.config.id2label"
    answer = f"{names}[int((found / thresholds).argmax())]"  # as `tasks/thresholds.py` answers
    if several:
        answer = f"[{names}[number] for number in (found > thresholds).nonzero()[:, 0].tolist()]"
    return {
        "plain_use": f"{code}print(dict(zip({names}.values(), found.tolist())))",
        "tuned_plain_use": f"{code}thresholds = torch.tensor(model.config.acclimate_thresholds)\nprint({answer})",
    }
