"""How often a study's recipes are right on parts of the test split: by a column of its file, and by label.

python docs/results/judged_apart.py docs/results/results/STUDY docs/results/covid-topics/test.jsonl words
"""

import json
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq


def main(results: Path, test: Path, column: str) -> None:
    """Print a Markdown table: recipe by part, mean ± standard deviation over seeds of the share that is right."""
    rows = pd.DataFrame(map(json.loads, test.read_text(encoding="utf-8").splitlines()))
    answers = pq.read_table(results / "predictions.parquet", filters=[("split", "=", "test")]).to_pandas()
    part = answers["gold"] + ", " + column + ": " + answers["index"].map(rows[column])
    right = (answers["gold"] == answers["predicted"]).groupby([answers["recipe"], part, answers["seed"]], sort=False).mean()
    told = right.groupby(level=[0, 1], sort=False).agg(["mean", "std"])
    sizes = part[(answers["recipe"] == answers["recipe"].iloc[0]) & (answers["seed"] == answers["seed"].iloc[0])].value_counts()
    parts = sorted(sizes.index)
    print("| recipe | " + " | ".join(f"{name} ({sizes[name]:,})" for name in parts) + " |\n|---|" + "---:|" * len(parts))
    for recipe in told.index.get_level_values(0).unique():
        cells = [f"{told.loc[(recipe, name), 'mean']:.3f} ± {told.loc[(recipe, name), 'std']:.3f}" for name in parts]
        print(f"| {recipe} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
