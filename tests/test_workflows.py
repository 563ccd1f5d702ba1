"""What machines run by themselves, as far as it can be tried here: it parses, and names no command, file or option that is not there."""

import os
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from acclimate import __version__
from acclimate.cli.verbs import app

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), ROOT / "examples" / "gate.yml"]
CONTEXTS = r"github|env|vars|matrix|steps|runner|secrets|job|needs|inputs"
FUNCTIONS = "hashFiles|always|cancelled|success|failure|format|contains|startsWith|endsWith"
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


def read(path):
    return YAML(typ="safe", pure=True).load(path)


def steps(path):
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_what_actions_ask_for(path):
    found = read(path)
    assert {"name", "on", "jobs", "permissions"} <= found.keys()
    for job in found["jobs"].values():
        assert {"runs-on", "timeout-minutes", "steps"} <= job.keys()
    for step in steps(path):
        assert ("uses" in step) != ("run" in step), step
        assert re.fullmatch(r"actions/[a-z/-]+@v\d+", step.get("uses", "actions/checkout@v4")), step
        assert step.keys() <= {"uses", "run", "with", "env", "if", "name", "id", "shell"}, step


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_expressions_name_what_there_is(path):
    text = path.read_text(encoding="utf-8")
    expressions = re.findall(r"\$\{\{(.*?)\}\}", text, flags=re.DOTALL)
    assert len(expressions) == text.count("${{")
    for expression in expressions:
        words = re.findall(r"[A-Za-z_][\w.]*", re.sub(r"'[^']*'", "", expression))
        assert all(re.fullmatch(rf"({CONTEXTS})\.[\w.]+|{FUNCTIONS}", word) for word in words), expression
    named = {key for job in read(path)["jobs"].values() for key in job.get("strategy", {}).get("matrix", {}) if key != "include"}
    assert {word for expression in expressions for word in re.findall(r"matrix\.(\w+)", expression)} <= named


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_commands_of_a_workflow_are_there(path):
    verbs = get_command(app).commands
    for step in steps(path):
        script = re.sub(r"\$\{\{.*?\}\}", "x", step.get("run", ""))
        subprocess.run(["bash", "-n", "-c", script], check=True)
        for line in re.split(r"\n|&&|\|", script.replace("\\\n", " ")):
            words = shlex.split(line, comments=True) if line.count('"') % 2 == 0 and line.count("'") % 2 == 0 else []
            if words[:1] == ["make"]:
                assert {word for word in words[1:] if "=" not in word} <= TARGETS, line
            if words[:1] == ["acclimate"]:
                known = {flag for option in verbs[words[1]].params for flag in option.opts}
                assert {word for word in words if word.startswith("--")} <= known, line
            for word in words:
                if word.startswith(("scripts/", ".ci/")):
                    assert (ROOT / word).is_file(), line


def test_ci_tries_every_python_that_the_package_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = {each.rpartition(" ")[2] for each in project["classifiers"] if re.search(r":: 3\.\d+$", each)}
    matrix = read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert set(matrix["python"]) == said
    assert {each["dependencies"] for each in matrix["include"]} == {"lowest", "newest"}


@pytest.mark.parametrize(("which", "resolution"), [("lowest", "lowest-direct"), ("newest", "highest")])
def test_other_versions_are_of_all_that_is_installed_and_of_what_builds_it(tmp_path, monkeypatch, which, resolution):
    uv = tmp_path / "uv"  # in place of the one that asks the network
    uv.write_text('#!/usr/bin/env bash\necho "$@"; cat "${@: -1}"\nwhile [ "$1" != --constraint ]; do shift; done; cat "$2"\n')
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    ran = subprocess.run([ROOT / "scripts" / "constraints.sh", which, "torch==2.13.0"], capture_output=True, text=True, check=True)
    asked, built, held = ran.stdout.splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    installed = re.findall(r"--editable '\.\[(.*?)\]'", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert set(re.findall(r"--extra (\S+)", asked)) == set(",".join(installed).split(","))
    assert f"--resolution {resolution} " in asked
    assert [built] == project["build-system"]["requires"]
    assert held == "torch==2.13.0"


@pytest.mark.parametrize("words", [[], ["oldest"]])
def test_other_versions_than_the_lowest_and_the_newest_are_refused(words):
    ran = subprocess.run([ROOT / "scripts" / "constraints.sh", *words], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "lowest|newest" in ran.stderr


def test_hooks_before_a_commit_run_what_make_lint_runs():
    hooks = [hook for repository in read(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repository["hooks"]]
    assert len({hook["id"] for hook in hooks}) == len(hooks)
    entries = {hook["entry"].split()[0].removeprefix(".venv/bin/") for hook in hooks}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    assert set(re.findall(r"\$\(BIN\)/([\w-]+)", makefile)) <= entries


def test_forms_of_issues_have_what_they_need():
    for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")):
        found = read(path)
        assert path.name == "config.yml" or {"name", "description", "body"} <= found.keys()
        assert all({"type", "attributes"} <= part.keys() for part in found.get("body", ()))


def test_the_citation_is_of_this_version():
    found = read(ROOT / "CITATION.cff")
    assert (found["version"], found["license"]) == (__version__, "Apache-2.0")
    assert {"cff-version", "message", "title", "authors"} <= found.keys()


@pytest.mark.parametrize("tag", ["v9.9.9", "0.1", f"{__version__}.1"])
def test_a_tag_that_is_not_the_version_is_refused_before_anything_is_built(tag):
    ran = subprocess.run(["bash", ROOT / "scripts" / "release.sh", tag], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"the tag {tag} is not v{__version__}" in ran.stderr


def test_a_version_without_a_date_in_the_changelog_is_not_released(tmp_path):
    for name in ("scripts/release.sh", "src/acclimate/__init__.py", "CITATION.cff"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## {__version__} — unreleased\n", encoding="utf-8")
    ran = subprocess.run(["bash", tmp_path / "scripts" / "release.sh", f"v{__version__}"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "a version that is released has a date" in ran.stderr
