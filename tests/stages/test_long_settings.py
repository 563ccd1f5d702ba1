"""What may be said of long texts, where, and what it leaves in a key."""

from pathlib import Path

import pytest
from tests.study.conftest import tiny_model, write_jsonl

from acclimate.errors import SettingsError
from acclimate.modeling.source import resolve_base
from acclimate.stages.finetune import Finetune
from acclimate.stages.planned import Sizes
from acclimate.tasks.opened import Data, DataSettings


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    tiny_model(folder / "model")
    return Sizes.of(resolve_base(str(folder / "model"), folder))


PAIRS = {"kind": "pair"}
TAGS = {"kind": "tag"}


@pytest.mark.parametrize(
    ("task", "settings", "told"),
    [
        ({}, {"stride": 4}, "stride: .* say `long: windows`, or leave `stride` out"),
        ({}, {"long": "error", "stride": 4}, "stride: .* say `long: windows`"),
        ({}, {"pool": "max"}, "pool: classify has windows to be pooled with `long: windows` alone"),
        ({}, {"long": "windows", "stride": 14}, "windows of 16 tokens cannot overlap by 14"),
        (PAIRS, {"long": "windows"}, "long: windows are of one text, and an item of pair has 2"),
        (TAGS, {"long": "cut"}, "long: tag answers every word"),
        (TAGS, {"long": "windows", "pool": "max"}, "pool: tag answers every word"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_say_instead(given, tmp_path, task, settings, told):
    rows = {
        "pair": [{"text": f"one {number}", "text_b": f"other {number}", "label": "ab"[number % 2]} for number in range(40)],
        "tag": [{"tokens": ["in", f"place{number}"], "tags": ["O", "B-loc"]} for number in range(40)],
        "classify": [{"text": f"text {number}", "label": "ab"[number % 2]} for number in range(40)],
    }[task.get("kind", "classify")]
    write_jsonl(tmp_path / "all.jsonl", rows)
    opened = Data.open(DataSettings.model_validate({"task": {**task, "path": str(tmp_path / "all.jsonl")}}), Path(), tmp_path).task
    with pytest.raises(SettingsError, match=told):
        Finetune(max_length=16, **settings).check(given, opened)


def test_what_is_done_without_being_asked_leaves_no_trace_in_keys():
    assert not {"long", "pool", "stride"} & Finetune().keyed().keys()
    assert Finetune(long="cut").keyed() == Finetune().keyed()
    assert Finetune(long="windows", pool="max").keyed().items() >= {"long": "windows", "pool": "max"}.items()
