"""What nothing can be done with is refused before anything is read or trained, with its line and its limit."""

import pytest

from acclimate.errors import SettingsError
from acclimate.study.language.study import load_study, parse_study

TEXT = "base: acclimate-tiny\ndata:\n  domain: corpus.txt\n  task: train.csv\n{more}\nrecipes:\n  plain: [finetune: {{{settings}}}]\n"


def refused(tmp_path, more="", settings=""):
    file = tmp_path / "study.yaml"
    file.write_text(TEXT.format(more=more, settings=settings))
    with pytest.raises(SettingsError) as error:
        load_study(file)
    return str(error.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("epochs: 1e300", "at most 1e+06"),
        ("epochs: .inf", "finite"),
        ("epochs: .nan", "finite"),
        ("lr: 1e31", "at most 1e+30"),
        ("lr: 0", "more than 0"),
        ("batch_size: 10000000000000", "at most 1,000,000,000,000"),
        ("min_steps: 99999999999999999999999999999", "at most 1,000,000,000,000"),
        ("class_weights: {a: 1e31}", "at most 1e+30"),
    ],
)
def test_numbers_that_nothing_can_be_done_with_are_refused(tmp_path, settings, said):
    message = refused(tmp_path, settings=settings)
    assert "study.yaml:7:" in message
    assert said in message


@pytest.mark.parametrize("seeds", ["[29999999999999999999999999999]", "[4294967296]", "[-1]"])
def test_a_seed_that_libraries_do_not_take_is_refused(tmp_path, seeds):
    message = refused(tmp_path, f"seeds: {seeds}")
    assert "study.yaml:5:" in message
    assert "4294967295" in message.replace(",", "") or "0" in message


def test_more_runs_than_can_be_planned_are_refused_at_the_setting_that_makes_them(tmp_path):
    message = refused(tmp_path, "seeds: 10_000_000")
    assert "study.yaml:5:" in message
    assert "10,000,000 seeds" in message
    assert "at most 20,000" in message


@pytest.mark.parametrize(("escape", "said"), [("\0", "NUL"), ("\ud800", "surrogate|a word, not")])
@pytest.mark.parametrize("where", ["name: ", "seeds: 1\nreference: ", "recipe", "path"])
def test_words_that_no_file_can_hold_are_refused(tmp_path, escape, said, where):
    study = {"base": "acclimate-tiny", "data": {"task": "train.csv"}, "recipes": {"plain": ["finetune"]}}
    word = f"a{escape}b"
    match where:
        case "recipe":
            study["recipes"] = {word: ["finetune"]}
        case "path":
            study["data"] = {"task": f"{word}.csv"}
        case _:
            study[where.strip(": ").rpartition("\n")[2]] = word
    with pytest.raises(SettingsError, match=said):
        parse_study(study)


def test_a_file_too_large_for_a_study_is_refused_without_being_read(tmp_path):
    (tmp_path / "study.yaml").write_bytes(b"a: 1\n" * 1_000_000)
    with pytest.raises(SettingsError, match="more than 4,000,000 bytes, and is no study file"):
        load_study(tmp_path / "study.yaml")


@pytest.mark.measured(1)
@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "{a: " * 5_000, "a: &a [x, x]\nb: &b [*a, *a]\n" + "".join(f"c{n}: &c{n} [{'*b, ' * 9}*b]\n" for n in range(2600))],
    ids=["brackets", "mappings", "aliases"],
)
def test_yaml_bombs_are_refused(tmp_path, text):
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(SettingsError):
        load_study(tmp_path / "study.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "base: !!python/object/apply:os.system ['touch pwned']\n",
        "base: !!python/name:os.system\n",
        "!!python/module:antigravity {}\n",
        "base: !include /etc/passwd\n",
        "base: !ENV ${HOME}\n",
    ],
    ids=["call", "name", "module", "include", "environment"],
)
def test_tags_that_would_run_code_or_read_files_are_refused_with_their_line(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(SettingsError, match=r"study\.yaml:1:\d+: tags such as .* are not used here"):
        load_study(tmp_path / "study.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: &a {b: *a}\n", "a: *nowhere\n", "a: &a {b: 1}\nc: {<<: *a}\n"])
def test_anchors_that_lead_in_circles_or_nowhere_or_merge_are_refused(tmp_path, text):
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(SettingsError, match=r"study\.yaml:\d+:\d+: .*(anchor|alias|merge|<<)"):
        load_study(tmp_path / "study.yaml")
