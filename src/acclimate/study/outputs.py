"""What stands in a study's output folder, by kind of study, so that nobody else's folder is replaced and nothing stale stays."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from acclimate.errors import SettingsError

FOLDERS = ("best", "best_transformer", "models", "splits", "plots")  # each written anew as a whole
COMPARED = (
    "best", "best_transformer", "plots", "report.html", "report.md", "verdicts.json", "results.parquet", "results.csv",
    "predictions.parquet", "curves.parquet", "disagreements.json",
)  # fmt: skip
"""What a comparison of recipes leaves and a study that reads no labels does not (but for its own report.md)."""
MADE = ("models", "pretraining.json", "report.md")
"""What a study that reads no labels leaves and a comparison does not (but for its own report.md)."""


def refuse_foreign(out: Path) -> None:
    """Refuse an output folder in which a study would replace what no study wrote.

    Raises:
        SettingsError: there is such a file or folder.
    """
    if (out / "study.json").exists():
        return
    if (out / "study.yaml").exists():
        raise SettingsError(f"{out}: holds a study.yaml that no study wrote, and results would replace it; choose another --out")
    # A study that was killed while it wrote may have left some of these, but not without its status.
    taken = [] if (out / ".status.json").exists() else [name for name in FOLDERS if (out / name).is_dir() and any((out / name).iterdir())]
    if taken:
        raise SettingsError(f"{out / taken[0]}: is there already, and no study made it; results would replace it: choose another --out")


def clear(out: Path, names: Sequence[str]) -> None:
    """Remove what a study of the other kind has left under the same name."""
    for name in names:
        if (out / name).is_dir():
            shutil.rmtree(out / name)
        else:
            (out / name).unlink(missing_ok=True)
