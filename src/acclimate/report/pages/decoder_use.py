"""What the card of a decoder tells that no encoder's does: it goes on with a text, and has read a word when it has read its last piece."""

from typing import Any

USE = """\
from transformers import pipeline

write = pipeline("text-generation", model=".")  # "." is this folder; a hub id serves as well
print(write("a text to go on with", max_new_tokens=20))"""
TOLD: dict[str, Any] = {
    "tag": "text-generation",
    "does": "predicts each next word of a text",
    "plain_use": USE,
    "limits": [
        "How it goes on with a text is what is likely there in texts like those it has read, true or not.",
        "To be of use for a task it is fine-tuned first; that it knows a text well does not say how much is gained by it.",
    ],
}
"""What replaces the kind of task's own words on its card."""
_TAGS = """\
import re

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

folder = "."  # this folder; a hub id serves as well
tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForTokenClassification.from_pretrained(folder).eval()
text = "a text to tag"
read = tokenizer(text, return_offsets_mapping=True, return_tensors="pt")
places = read["offset_mapping"][0].tolist()
with torch.no_grad():
    logits = model(input_ids=read["input_ids"]).logits[0]{less}
for word in re.finditer(r"[^\\W_]+|[^\\w\\s]|_", text):
    # A model that reads from left to right has seen all of a word at its last piece, which answers for it: a pipeline asks the first.
    last = max((piece for piece, (start, end) in enumerate(places) if start < word.end() and end > word.start()), default=None)
    print(word.group(), None if last is None else model.config.id2label[int(logits[last].argmax())])"""
TAGS: dict[str, Any] = {
    "plain_use": _TAGS.replace("{less}", ""),
    "tuned_plain_use": _TAGS.replace("{less}", " - torch.tensor(model.config.acclimate_thresholds).log()"),
}
"""The same where it tags words."""
