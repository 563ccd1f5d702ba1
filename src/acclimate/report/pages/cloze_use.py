"""What the card of a model tells that gives labels by their words: how plain transformers asks it, and what the hub calls that."""

import json
from collections.abc import Mapping
from typing import Any

TAG = "fill-mask"
EXAMPLES = {1: ("a text to label",), 2: ("the first text", "the second text")}
NAMES = ("text", "text_b")


def told_of(written: Mapping[str, Any], length: int | None) -> dict[str, Any]:
    """What replaces the kind of task's own words on a card; `written` as in config.json, `length`: the tokens to which a text is cut."""
    code = _scores(written, length)
    tuned = "print([*words][int((scores.softmax(0) / torch.tensor(model.config.acclimate_thresholds)).argmax())])"
    return {
        "tag": TAG,
        "plain_use": f"{code}print(dict(zip(words, scores.softmax(0).tolist())))",
        "tuned_plain_use": f"{code}{tuned}",  # as `tasks/thresholds.py` answers
    }


def _scores(written: Mapping[str, Any], length: int | None) -> str:
    parts = written["tokens"]
    texts = sorted((part for part in parts if isinstance(part, dict)), key=lambda part: int(part["column"]))
    room = None if length is None else length - (len(parts) - len(texts))
    tokens = ", ".join(f"*{NAMES[part['column']]}" if isinstance(part, dict) else str(part) for part in parts)
    before = parts[: written["mask"]]
    place = [str(sum(not isinstance(part, dict) for part in before))]
    place += [f"len({NAMES[part['column']]})" for part in before if isinstance(part, dict)]
    words = json.dumps(written["words"], ensure_ascii=False)
    return f"""\
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

folder = "."  # this folder; a hub id serves as well
tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForMaskedLM.from_pretrained(folder)
words = {words}  # label -> its words, each in tokens
{reading(texts, room)}
tokens = [{tokens}]  # {json.dumps(written["template"], ensure_ascii=False)}
with torch.no_grad():
    logits = model(input_ids=torch.tensor([tokens])).logits[0, {" + ".join(place)}]  # at the mask
scores = torch.stack([torch.stack([logits[word].mean() for word in each]).mean() for each in words.values()])
"""


def reading(texts: list[dict[str, Any]], room: int | None) -> str:
    """The lines that read `text`, of pairs `text` and `text_b`, in tokens; `texts` as in config.json, `room` for their tokens together."""
    shown = [f'" " + {json.dumps(example)}' if part["lead"] else json.dumps(example) for part, example in _with_examples(texts)]
    if len(texts) == 1:
        cut = "" if room is None else f"[:{room}]  # a longer text is cut, the template never"
        return f'text = tokenizer({shown[0]}, add_special_tokens=False)["input_ids"]{cut}'
    cut = "" if room is None else f', truncation="longest_first", max_length={room}'
    return f"""\
both = tokenizer({", ".join(shown)}, add_special_tokens=False{cut})
text, text_b = ([token for token, of in zip(both["input_ids"], both.sequence_ids()) if of == number] for number in (0, 1))"""


def _with_examples(texts: list[dict[str, Any]]) -> list[tuple[dict[str, Any], str]]:
    return list(zip(texts, EXAMPLES[len(texts)], strict=True))
