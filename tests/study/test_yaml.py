import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.errors import SettingsError
from acclimate.study.language.yaml import dump, load, parse, parse_settings


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e-5", 2e-5),
        ("1e-3", 1e-3),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("-1.5e+2", -150.0),
        ("50_000_000", 50_000_000),
        ("-7", -7),
        ("007", 7),
        ("0x1F", 31),
        ("0o17", 15),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("No", "No"),
        ("y", "y"),
        ("2024-01-31", "2024-01-31"),
        ("1:30", "1:30"),
        ("1__0", "1__0"),
        ("1_", "1_"),
        ("tRUE", "tRUE"),
        ("'5'", "5"),
        ('"true"', "true"),
        ("''", ""),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("[a, 1, {b: 2}]", ["a", 1, {"b": 2}]),
    ],
)
def test_values_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = parse(f"key: {text}", "study.yaml").value["key"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_words() -> None:
    assert parse("{1: a, yes: b, null: c, true: d, 2e-5: e}", "x").value == {"1": "a", "yes": "b", "null": "c", "true": "d", "2e-5": "e"}


def test_an_alias_is_the_value_of_its_anchor() -> None:
    assert parse("a: &x {k: [1, &y 2]}\nb: *x\nc: [*x, *y]", "x").value == {"a": {"k": [1, 2]}, "b": {"k": [1, 2]}, "c": [{"k": [1, 2]}, 2]}


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a: 1\nb: 2\na: 3", "3:1", "'a' stands here for the second time; the first is in line 1"),
        ("a: {b: 1, b: 2}", "1:11", "second time"),
        ('a: 1\n"a": 2', "2:1", "second time"),
        ("a: [1", "1:6", "expected ',' or ']'"),
        ("a:\n\t- b", "2:1", "spaces, not tabs"),
        ("a:\n  b: 1\n c: 2", "3:2", "left or right"),
        ("a: b: c", "1:5", "not allowed here"),
        ("a: 'x", "1:6", "end of stream"),
        ("a: 1\n---\nb: 2", "2:1", "second document"),
        ("a: !!str 5", "1:4", "tags"),
        ("a: !python/object:os.system x", "1:4", "tags"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "3:3", "merge keys"),
        ("? [a]\n: 3", "1:3", "a key must be a word"),
        (": 4", "1:1", "a key is missing"),
        ("a: *x", "1:4", "no anchor &x"),
        ("a: &x [*x]", "1:8", "no anchor &x"),
        ("%YAML 1.1\n---\na: on", "2:1", "this is YAML 1.2"),
        ("a: \x01", "1:4", "not allowed"),
        ("a: " + "[" * 60, "1:54", "deep"),
        ("a: " + "9" * 5000, "1:4", "too many digits"),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_column(text: str, where: str, what: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(text, "study.yaml")
    assert str(caught.value).startswith(f"study.yaml:{where}: ")
    assert what in str(caught.value)


def test_a_small_file_cannot_name_a_billion_values() -> None:
    bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
    with pytest.raises(SettingsError, match="values"):
        parse(bomb, "study.yaml")


def test_the_place_of_every_value_is_known() -> None:
    document = parse("recipes:\n  TAPT:\n    - pretrain:\n        corpus: task\n        lr: 1e-4\n    - finetune\n", "study.yaml")
    assert document.where(("recipes", "TAPT", 0, "pretrain", "lr")) == "study.yaml:5:9"
    assert document.where(("recipes", "TAPT", 1)) == "study.yaml:6:7"
    assert document.where(("recipes", "TAPT", 0, "pretrain", "nowhere", "at", "all")) == "study.yaml:3:7"
    assert document.where(("nowhere",)) == "study.yaml:1:1"


def test_files_are_read_as_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_bytes("\ufeffa: é\n".encode())
    assert load(file).value == {"a": "é"}
    file.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(SettingsError, match=r"study\.yaml:2:7: byte 11 is not UTF-8"):
        load(file)
    with pytest.raises(SettingsError, match=r"missing\.yaml: cannot be read"):
        load(tmp_path / "missing.yaml")


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(
        ["on", "no", "2e-5", "1_000", "", " ", "- a", "a: b", "#", "null", ".inf", "0x1F", "~", "a #b", "\x85", "\u2028", "DAPT + TAPT"]
    )
)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=150) | st.sampled_from(["<<", "", "1", "null", "?", "-"])
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=30)


@given(st.dictionaries(words, values, max_size=5) | values)
def test_what_is_dumped_is_read_back_equal(value: Any) -> None:
    found = parse(dump(value), "x").value
    assert found == value
    assert repr(found) == repr(value)  # 1 and 1.0 and True are different settings


def test_a_dumped_study_is_easy_on_the_eye() -> None:
    value = {"seeds": 3, "data": {"domain": "a/**/*.txt"}, "recipes": {"top 2": [{"finetune": {"train": 2, "lr": 2e-5}}]}, "labels": ["on"]}
    assert dump(value) == (
        'seeds: 3\ndata:\n  domain: "a/**/*.txt"\nrecipes:\n  top 2: [{finetune: {train: 2, lr: 2e-05}}]\nlabels: ["on"]\n'
    )


def test_command_line_settings_are_yaml_values_under_dotted_keys() -> None:
    found = parse_settings(["lr=2e-5", "train=head", "head.layers=2", "head.hidden=256", "corpus=a=b", "include=[dev]"])
    assert found == {"lr": 2e-5, "train": "head", "head": {"layers": 2, "hidden": 256}, "corpus": "a=b", "include": ["dev"]}


@pytest.mark.parametrize("wrong", [["lr"], ["=3"], ["a..b=1"], ["lr=1", "lr=2"], ["head=1", "head.layers=2"], ["lr=[1"]])
def test_a_wrong_command_line_setting_is_named(wrong: list[str]) -> None:
    with pytest.raises(SettingsError, match=wrong[-1].split("=")[0].replace(".", r"\.") or "key=value"):
        parse_settings(wrong)
