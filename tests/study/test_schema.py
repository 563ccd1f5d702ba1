import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from acclimate.errors import SettingsError
from acclimate.stages import STAGES
from acclimate.study.language.schema import json_schema, reference_markdown
from acclimate.study.language.study import parse_study, resolved
from acclimate.study.language.yaml import load

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").rglob("*.yaml"))
STUDY: dict[str, Any] = {
    "base": "some/model",
    "data": {
        "domain": ["a.txt", "b.txt"],
        "general": {"path": "w.jsonl", "text": "body"},
        "task": {"train": "t.csv"},
        "corpora": {"x": "x.txt"},
    },
    "seeds": 5,
    "labels": [100, "all"],
    "recipes": {
        "fine-tune": ["finetune"],
        "bare": [{"finetune": None}],
        "deep": [{"finetune": {"train": "head", "head": {"layers": 2}, "lr": 2e-5, "class_weights": {"a": 2.0}}}],
        "top 2": [{"finetune": {"train": 2}}],
        "scratch": {"base": "random", "stages": ["finetune"]},
        "tfidf": {"base": "tfidf"},
        "trigrams": {"base": {"tfidf": {"ngrams": 3}}},
        "majority": {"base": "majority"},
        "bilstm": {"base": {"bilstm": {"layers": 2, "class_weights": {"a": 2.0}}}},
        "bilstm as it is": {"base": {"bilstm": None}},
        "DAPT": [{"pretrain": {"corpus": "domain", "tokens": 50_000_000}}, "finetune"],
    },
}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(json.dumps(json_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.measured(0)
def test_what_one_writes_and_what_is_resolved_from_it_fit_the_schema(validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(STUDY)
    validator.validate(STUDY | {"data": {"domain": "a.txt", "task": "task"}})
    validator.validate(resolved(parse_study(STUDY)))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_the_examples_fit_the_schema(validator: jsonschema.Draft202012Validator, file: Path) -> None:
    validator.validate(load(file).value)


@pytest.mark.parametrize(
    "change",
    [
        {"sedes": 5},
        {"seeds": 0},
        {"seeds": [-1]},
        {"seeds": True},
        {"labels": [0]},
        {"labels": ["alle"]},
        {"metric": "f1"},
        {"name": "a/b"},
        {"data": {"domain": 5}},
        {"data": {"task": ["a", "b"]}},
        {"data": {"task": {"train": "t.csv", "valid": "d.csv"}}},
        {"recipes": {}},
        {"recipes": {"a": "finetune"}},
        {"recipes": {"a": []}},
        {"recipes": {"a": {}}},
        {"recipes": {"a": ["fintune"]}},
        {"recipes": {"a": ["tfidf"]}},
        {"recipes": {"a": [{"finetune": {"learning_rate": 1}}]}},
        {"recipes": {"a": [{"finetune": {"lr": -1}}]}},
        {"recipes": {"a": [{"finetune": {}, "pretrain": {}}]}},
        {"recipes": {"a": [{"finetune": {"head": {"layer": 2}}}]}},
        {"recipes": {"a": ["bilstm"]}},
        {"recipes": {"a": {"base": {"layers_of": "b"}}}},
        {"recipes": {"a": {"base": {"majority": {"ngrams": 1}}}}},
        {"recipes": {"a": {"base": {"tfidf": {}, "bilstm": {}}}}},
        {"recipes": {"a": {"bsae": "x", "stages": ["finetune"]}}},
    ],
    ids=str,
)
def test_what_the_schema_refuses_is_an_error_when_it_is_read(validator: jsonschema.Draft202012Validator, change: dict[str, Any]) -> None:
    study = {**STUDY, **change}
    assert not validator.is_valid(study)
    with pytest.raises(SettingsError):
        parse_study(study)


def test_every_key_in_the_schema_is_described() -> None:
    for name, definition in json_schema()["$defs"].items():
        for part in (definition, *definition.get("anyOf", [])):
            for key, value in part.get("properties", {}).items():
                if (name, key) != ("Recipe", "tfidf"):
                    assert value.get("description"), f"{name}.{key} has no docstring"


def test_no_title_hides_a_description() -> None:
    schema = json_schema()
    assert schema.pop("title") == "An acclimate study"
    assert '"title"' not in json.dumps(schema)
    assert "Raises" not in json.dumps(schema)


def test_the_reference_names_every_setting_with_its_meaning() -> None:
    text = reference_markdown()
    for stage in STAGES:
        table = text.partition(f"\n## `{stage.model_fields['stage'].default}`\n")[2].partition("\n## ")[0]
        rows = dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", table, flags=re.MULTILINE))
        assert ("it has no settings" in table) == (not rows)
        assert list(rows) == [name for name in stage.model_fields if name != "stage"]
        assert all(len(row.split(" | ")[-1]) > 10 for row in rows.values())
    assert "| `mask_rate` | number > 0 and < 1 or `null` | `null` |" in text
    assert "| `data` | `data` | required |" in text
