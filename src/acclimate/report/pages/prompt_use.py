"""What the card of a decoder tells that gives labels by how likely their words come next: how plain transformers asks it."""

import json
from collections.abc import Mapping
from typing import Any

from acclimate.report.pages.cloze_use import NAMES, reading

TAG = "text-generation"


def told_of(written: Mapping[str, Any], length: int | None) -> dict[str, Any]:
    """What replaces the kind of task's own words on a card; `written` as in config.json, `length`: the tokens to which a text is cut."""
    parts = written["tokens"]
    texts = sorted((part for part in parts if isinstance(part, dict)), key=lambda part: int(part["column"]))
    # As `data/prompts.py` leaves room: of every word all but the last token is read.
    stem = max(len(word) - 1 for words in written["words"].values() for word in words)
    room = None if length is None else length - stem - (len(parts) - len(texts))
    calibrated = "scores -= torch.tensor(asked['prior']).log()  # what it answers to a text without content\n" if written["prior"] else ""
    code = f"""\
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "."  # this folder; a hub id serves as well
tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
asked = model.config.acclimate_template
words = asked["words"]  # label -> its words, each in tokens
{reading(texts, room)}
texts = ({NAMES[0]}{f", {NAMES[1]}" if len(texts) > 1 else ","})
# The examples, and {json.dumps(written["template"], ensure_ascii=False)} up to the mask.
prompt = [token for part in asked["tokens"] for token in ([part] if isinstance(part, int) else texts[part["column"]])]

def likelihood(word):
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([prompt + word])).logits[0, len(prompt) - 1 : -1]
    return logits.log_softmax(-1)[range(len(word)), word].sum()

scores = torch.stack([torch.stack([likelihood(word) for word in each]).exp().mean().log() for each in words.values()])
{calibrated}"""
    tuned = "print([*words][int((scores.softmax(0) / torch.tensor(model.config.acclimate_thresholds)).argmax())])"
    return {
        "tag": TAG,
        "plain_use": f"{code}print(dict(zip(words, scores.softmax(0).tolist())))",
        "tuned_plain_use": f"{code}{tuned}",  # as `tasks/thresholds.py` answers
    }
