"""A study of one plain baseline, which takes a second, of a table with a bad line in it."""

import shutil

import pytest

from acclimate.study.language.study import parse_study


def study(train):
    return parse_study({"data": {"task": {"train": train, "skip_bad": True}}, "recipes": {"majority": {"base": "majority"}}, "seeds": 1})


@pytest.fixture
def world(tiny_world, tmp_path):
    shutil.copyfile(tiny_world / "train.jsonl", tmp_path / "train.jsonl")
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write("not JSON\n")
    return tmp_path
