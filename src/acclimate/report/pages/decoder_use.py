"""What the card of a decoder tells that was judged by held-out text: it goes on with a text, where an encoder fills gaps."""

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
