"""Small files of tagged sentences and of marked text, and the tasks that they are opened as."""

import json

import pytest

from acclimate.errors import DataError
from acclimate.tasks.tag import Tag
from acclimate.tasks.task import Task


def sentences(count=30, start=0):
    rows = [(["A", f"w{start + n}", "b"], ["B-PER", "I-PER", "O"]) for n in range(count)]
    return [{"tokens": tokens, "tags": tags} for tokens, tags in rows]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def opened(root, rows=None, extra=(), name="all.jsonl", **settings):
    write(root / name, [*(sentences() if rows is None else rows), *extra])
    return Task.open(Tag.model_validate({"path": name, **settings}, context={}), root, root / "rejects")


def tags_of(task):
    """By text, the tags of all splits as they are called."""
    return {
        text: [split.names[number] for number in split.gold[row].tolist()]
        for split in task.splits.values()
        for row, text in enumerate(split.inputs[0])
    }


def words_in(split, row):
    text = split.inputs[0][row]
    return [text[start:end] for start, end in split.words[row].tolist()]


def error_of(root, extra, **settings):
    with pytest.raises(DataError) as error:
        opened(root, extra=[extra], **settings)
    return str(error.value)


CONLL = "".join(f"-DOCSTART- -X- O O\n\nU.N. NNP I-NP I-ORG\nofficial NN I-NP O\nw{n} NNP I-NP I-PER\n\n" for n in range(30))


def marked(**more):
    return [{"text": f"Ann Lee saw w{n}.", "spans": [{"start": 0, "end": 7, "label": "PER"}], **more} for n in range(30)]


def marked_rows(count=30):
    return [{"text": f"Ann w{n}", "spans": [{"start": 0, "end": 3, "label": "PER"}]} for n in range(count)]
