"""The report of a study that reads no labels: what each of its models knows of the text that was held out, and what it cost."""

from pathlib import Path
from typing import Any

from acclimate.errors import SettingsError, StoreError
from acclimate.files import read_json, write_text
from acclimate.report.pages.markdown import block, bullets, grid, plain
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import amount, duration, percent, score, size
from acclimate.study.outputs.output_folder import RECORD, check_whole, unfinished

RESULTS, NAME = "pretraining.json", "report.md"


def is_pretraining(folder: Path) -> bool:
    """Whether a study without labels has written this folder."""
    return (folder / RESULTS).is_file()


def write_pretraining_report(folder: Path) -> Path:
    """Write `report.md` from what the study left in `folder`.

    Raises:
        StoreError: the results are missing or damaged.
    """
    write_text(folder / NAME, pretraining_report(read_results(folder)))
    return folder / NAME


def read_results(folder: Path) -> dict[str, Any]:
    """`pretraining.json` of a study's folder.

    Raises:
        StoreError: it is missing or damaged.
        SettingsError: the results are not those of one run.
    """
    if not (folder / RECORD).is_file():
        raise SettingsError(f"{folder}: {RECORD} is missing — {unfinished(folder)}")
    check_whole(folder, read_json(folder / RECORD))
    results: dict[str, Any] = read_json(folder / RESULTS)
    if not isinstance(results, dict) or not isinstance(results.get("runs"), list):
        raise StoreError(f"{folder / RESULTS}: does not hold the results of a study; run the study again")
    return results


def pretraining_report(results: dict[str, Any]) -> str:
    """The whole report as Markdown; names from the study can become no markup."""
    parts = [
        f"# {plain(str(results.get('name', 'study')))}",
        "No recipe here reads labels: they are set beside each other by held-out loss.",
    ]
    if results.get("smoke"):
        parts.append("**Smoke run:** every stage saw a sliver of the data. No number below says anything about the recipes.")
    parts += [grid(each) for each in (heldout_grid(results), cost_grid(results), corpora_grid(results)) if each.rows]
    failed = [run for run in results["runs"] if run["status"] == "failed"]
    if failed:
        lines = (f"{plain(run['recipe'])}, seed {run['seed']}: {plain(run['error'].partition(chr(10))[0])}" for run in failed)
        parts += ["## Failed runs", bullets(lines)]
    if results.get("notes"):
        parts += ["## Notes", bullets(map(plain, results["notes"]))]
    facts = {**(results.get("versions") or {}), **(results.get("machine") or {})}
    about = ", ".join(f"{plain(str(name))} {plain(str(value))}" for name, value in facts.items())
    parts += ["## How to repeat it", block(str(results.get("command") or "acclimate study study.yaml")), about]
    return "\n\n".join(part for part in parts if part) + "\n"


def heldout_grid(results: dict[str, Any]) -> Grid:
    """A line for each corpus of each finished run: by vocabulary, and of one vocabulary the lowest loss first."""
    rows = []
    vocabularies = list(dict.fromkeys(run.get("tokenizer") for run in _done(results)))
    for name in _corpora(results):
        found = [(run, run["corpora"][name]) for run in _done(results) if "heldout_loss" in run["corpora"].get(name, {})]
        for run, facts in sorted(found, key=lambda each: (vocabularies.index(each[0].get("tokenizer")), each[1]["heldout_loss"])):
            numbers = (score(facts["heldout_loss"]), percent(facts["heldout_accuracy"]), score(facts["bits_per_byte"]), _unknown(facts))
            which = str(vocabularies.index(run.get("tokenizer")) + 1) if len(vocabularies) > 1 else "–"
            rows.append((name, run["recipe"], which, str(run["seed"]), *numbers, amount(facts["heldout_tokens"])))
    headings = (
        "corpus",
        "recipe",
        "vocabulary",
        "seed",
        "nats per masked token",
        "found",
        "bits per byte",
        "unknown tokens",
        "tokens held out",
    )
    caption = "Held-out text, 15 % of its tokens masked; lower loss is better"
    if len(vocabularies) > 1:
        caption += (
            ", but losses and shares of different vocabularies cannot be compared, and bits per byte only roughly (unknown tokens are "
            "never asked for: each of their bytes is charged 8 bits)"
        )
    return Grid(caption, headings, tuple(rows), frozenset({0, 1})).without_empty_columns()


def cost_grid(results: dict[str, Any]) -> Grid:
    """What each run took, and what of all its held-out text changed in its last stage."""
    rows = tuple(
        (
            run["recipe"],
            str(run["seed"]),
            score(run.get("heldout_loss_before")),
            score(run.get("heldout_loss_after")),
            amount(run["cost"].get("tokens")),
            duration(run["cost"].get("seconds")),
            amount(run["cost"].get("parameters")),
            size(run["cost"].get("disk_bytes")),
            run["model"],
        )
        for run in _done(results)
    )
    headings = ("recipe", "seed", "loss before", "loss after", "tokens trained on", "time", "parameters", "size", "model")
    return Grid("Cost, and all held-out text together before and after the last stage", headings, rows, frozenset({0, 8}))


def corpora_grid(results: dict[str, Any]) -> Grid:
    """What an epoch of each run's last stage is made of."""
    rows = []
    for run in _done(results):
        whole = sum(facts["training_tokens"] for facts in run["corpora"].values())
        for name, facts in run["corpora"].items():
            part = percent(facts["training_tokens"] / whole) if whole else "–"
            counts = (amount(facts["documents"]), amount(facts["tokens"]), f"{facts['share']:g}", amount(facts["training_tokens"]), part)
            rows.append((run["recipe"], name, *counts))
    headings = ("recipe", "corpus", "documents", "tokens", "times an epoch", "tokens an epoch", "part of it")
    return Grid("What an epoch of the last stage reads", headings, tuple(dict.fromkeys(rows)), frozenset({0, 1}))


def _unknown(facts: dict[str, Any]) -> str:
    share = facts.get("unknown_share")
    return "–" if share is None else percent(share)


def _done(results: dict[str, Any]) -> list[dict[str, Any]]:
    return [run for run in results["runs"] if run["status"] == "done"]


def _corpora(results: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(name for run in _done(results) for name in run["corpora"]))
