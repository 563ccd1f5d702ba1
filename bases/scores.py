"""Put what studies found of the models that come with the package into their cards: scores on tasks, beside others.

python bases/scores.py
"""

import csv
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev

from acclimate.files import write_text
from acclimate.report.pages.markdown import grid
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import score
from acclimate.study.language.study import load_study

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "acclimate" / "bases"
RESULTS = ROOT / "docs" / "results"
STUDIES = ("sst2", "sst2-all", "chemprot", "sciie", "imdb")
OTHERS = ("MiniLM", "tfidf", "bilstm")
HEADING = "## Fine-tuned, beside others"


def main() -> None:
    """Write the scores into both cards."""
    for folder in sorted(PACKAGE.iterdir()):
        if (card := folder / "README.md").is_file():
            write_text(card, with_scores(card.read_text(encoding="utf-8"), section(folder.name, RESULTS)))


def section(recipe: str, results: Path) -> str:
    """The card's part on scores: each study that has been run to its end, this model beside the same layers from scratch and others."""
    names = (recipe, f"{recipe} from scratch", *OTHERS)
    rows = [row for study in STUDIES if (results / f"base-{study}.csv").is_file() for row in _rows(study, names, results)]
    caption = "Test scores, mean ± standard deviation over seeds; what they mean: docs/results/bases.md in the repository"
    return f"{HEADING}\n\n{grid(Grid(caption, ('task', 'labels', 'score', *names), tuple(rows), frozenset({0, 2})))}"


def with_scores(card: str, part: str) -> str:
    """The card with this part on scores, in place of the one it had, before its limits."""
    begin, end = card.find(HEADING), card.index("## Limits")
    return f"{card[: end if begin < 0 else begin]}{part}\n\n{card[end:]}"


def _rows(study: str, names: tuple[str, ...], results: Path) -> list[tuple[str, ...]]:
    asked = load_study(results / f"base-{study}.yaml")
    assert asked.data.task is not None, "a study with scores has a task"
    metric = asked.data.task.metric(asked.metric)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))  # label budget -> recipe -> scores of its seeds
    with (results / f"base-{study}.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["status"] == "done":
                found[row["labels"]][row["recipe"]].append(float(row[f"test_{metric.name}"]))
    task = study.partition("-")[0]
    return [(task, labels, metric.words, *(_cell(runs.get(name, [])) for name in names)) for labels, runs in found.items()]


def _cell(scores: list[float]) -> str:
    return "–" if len(scores) < 2 else f"{score(mean(scores))} ± {score(stdev(scores))}"


if __name__ == "__main__":
    main()
