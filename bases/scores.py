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
STUDIES = ("base-sst2", "base-sst2-all", "base-chemprot", "base-sciie", "base-imdb")
OTHERS = ("MiniLM", "tfidf", "bilstm")
DECODERS = ("imdb-decoders", "csabstruct-decoders")
ASKED = ("prompt", "fine-tune", "CPT, fine-tune", "encoder: fine-tune", "encoder: CPT, fine-tune")  # the encoder is acclimate-tiny
HEADING = "## Fine-tuned, beside others"


def main() -> None:
    """Write the scores into the cards."""
    for folder in sorted(PACKAGE.iterdir()):
        if (card := folder / "README.md").is_file():
            write_text(card, with_scores(card.read_text(encoding="utf-8"), section(folder.name, RESULTS)))


def section(recipe: str, results: Path) -> str:
    """The card's part on scores: each study that has been run to its end, this model beside the same layers from scratch and others, or a
    decoder beside its twin."""
    decoder = recipe.endswith("-causal")
    studies, names = (DECODERS, ASKED) if decoder else (STUDIES, (recipe, f"{recipe} from scratch", *OTHERS))
    rows = [row for study in studies if (results / f"{study}.csv").is_file() for row in _rows(study, names, results)]
    page = "decoders" if decoder else "bases"
    caption = f"Test scores, mean ± standard deviation over seeds; what they mean: docs/results/{page}.md in the repository"
    return f"{HEADING}\n\n{grid(Grid(caption, ('task', 'labels', 'score', *names), tuple(rows), frozenset({0, 2})))}"


def with_scores(card: str, part: str) -> str:
    """The card with this part on scores, in place of the one it had, before its limits."""
    begin, end = card.find(HEADING), card.index("## Limits")
    return f"{card[: end if begin < 0 else begin]}{part}\n\n{card[end:]}"


def _rows(study: str, names: tuple[str, ...], results: Path) -> list[tuple[str, ...]]:
    asked = load_study(results / f"{study}.yaml")
    assert asked.data.task is not None, "a study with scores has a task"
    metric = asked.data.task.metric(asked.metric)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))  # label budget -> recipe -> scores of its seeds
    with (results / f"{study}.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["status"] == "done":
                found[row["labels"]][row["recipe"]].append(float(row[f"test_{metric.name}"]))
    task = study.removeprefix("base-").partition("-")[0]
    return [(task, labels, metric.words, *(_cell(runs.get(name, [])) for name in names)) for labels, runs in found.items()]


def _cell(scores: list[float]) -> str:
    return "–" if len(scores) < 2 else f"{score(mean(scores))} ± {score(stdev(scores))}"


if __name__ == "__main__":
    main()
