"""Plain baselines that rank documents by the words that they share with a query, read from their folder: any documents may be asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.evaluation.trained_folder import checked_files
from acclimate.files import read_json
from acclimate.modeling.base_files import CONFIG
from acclimate.modeling.baselines.table import BM25

if TYPE_CHECKING:
    from acclimate.modeling.baselines.bm25_ranking import Bm25Ranking


@dataclass(frozen=True)
class WordRanking:
    """What such a baseline was made with; words are counted over the documents that it is given."""

    folder: Path
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, model: str | Path) -> "WordRanking | None":
        """That of a folder; None where it is something else."""
        folder = Path(model).expanduser()
        if not (folder / CONFIG).is_file():
            return None
        config = read_json(folder / CONFIG)
        if not isinstance(config, dict) or config.get("model_type") != BM25:
            return None
        return checked_files(
            folder, lambda: cls(folder, {"k1": float(config["k1"]), "b": float(config["b"]), "marks": bool(config["marks"])})
        )

    def told(self) -> list[str]:
        """What should be known before any document is read."""
        return ["bm25: scores are those of BM25 over these documents, and no cosines"]

    def over(self, documents: Sequence[str]) -> "Bm25Ranking":
        """These documents, indexed.

        Raises:
            MissingExtraError: bm25s is not installed.
        """
        from acclimate.modeling.baselines.bm25_ranking import Bm25Ranking, check_installed

        check_installed()
        return Bm25Ranking(documents, **self.settings)
