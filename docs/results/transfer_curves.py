"""What a student scores, by how many texts its teacher was asked about: from the rows of a study whose recipes are called "START, TEXTS".

python docs/results/transfer_curves.py docs/results/imdb-transfer.csv docs/results/imdb-transfer-curves.png
"""

import csv
import sys
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

BLUE, ORANGE, INK = "#1f4e8c", "#b35900", "#1c1c22"
STARTS = {"cut": "two layers of MiniLM", "random": "two random layers"}
SCORE = "test_accuracy"


def rows(path: Path) -> tuple[list[dict[str, Any]], float]:
    """A row for each run of a student: its start, the texts, the score; and the mean score of the teacher."""
    with path.open(encoding="utf-8", newline="") as file:
        runs = list(csv.DictReader(file))
    students = [run["recipe"].split(", ") for run in runs]
    found = [
        {"student": STARTS[name[0]], "texts": int(name[1]), "accuracy": float(run[SCORE])}
        for name, run in zip(students, runs, strict=True)
        if len(name) == 2
    ]
    teacher = [float(run[SCORE]) for run in runs if run["recipe"] == "teacher"]
    return found, sum(teacher) / len(teacher)


def drawn(found: list[dict[str, Any]], teacher: float) -> alt.LayerChart:
    """A line of means for each student, a point for each seed, and a dashed line where the teacher is."""
    numbers = sorted({row["texts"] for row in found})
    x = alt.X(
        "texts:Q",
        scale=alt.Scale(type="log", domain=[0.75 * numbers[0], 1.1 * numbers[-1]], nice=False),
        axis=alt.Axis(values=numbers, format=","),
        title="texts that the teacher was asked about",
    )
    y = alt.Scale(domain=[0.6, 0.84])
    colour = alt.Color("student:N", scale=alt.Scale(domain=[*STARTS.values()], range=[BLUE, ORANGE]), legend=None)
    base = alt.Chart(alt.Data(values=found)).encode(x=x, color=colour)
    last = alt.Chart(alt.Data(values=[row for row in found if row["texts"] == numbers[-1]])).encode(x=x, color=colour)
    names = last.mark_text(align="left", dx=10, fontSize=12).encode(y="mean(accuracy):Q", text="student:N")
    limit = alt.Chart(alt.Data(values=[{"accuracy": teacher, "texts": numbers[0], "name": "their teacher"}])).encode(y="accuracy:Q")
    return alt.layer(
        base.mark_line().encode(y=alt.Y("mean(accuracy):Q", scale=y, title="accuracy")),
        base.mark_point(filled=True, size=45, opacity=0.75).encode(y=alt.Y("accuracy:Q", scale=y)),
        names,
        limit.mark_rule(color=INK, strokeDash=[5, 4]),
        limit.mark_text(align="left", dy=-8, color=INK, fontSize=12).encode(x="texts:Q", text="name:N"),
    ).properties(width=430, height=270)  # fmt: skip


if __name__ == "__main__":
    chart = drawn(*rows(Path(sys.argv[1]))).configure_view(stroke=None)
    Path(sys.argv[2]).write_bytes(vl_convert.vegalite_to_png(chart.to_json(), scale=2))
