"""Plain baselines that rank documents by the words that they share with a query, read from their folder: any documents may be asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.evaluation.trained_folder import checked_files
from acclimate.files import read_json
from acclimate.modeling.base_files import CONFIG
from acclimate.modeling.baselines import table

if TYPE_CHECKING:
    from acclimate.modeling.baselines.bm25_ranking import Bm25Ranking
    from acclimate.modeling.baselines.tfidf_ranking import TfidfRanking


@dataclass(frozen=True)
class WordRanking:
    """What such a baseline was made with; words are counted over the documents that it is given."""

    folder: Path
    name: str
    make: Callable[[Sequence[str]], "Bm25Ranking | TfidfRanking"]

    @classmethod
    def of(cls, model: str | Path) -> "WordRanking | None":
        """That of a folder; None where it is something else.

        Raises:
            ModelError: its config.json is damaged.
        """
        folder = Path(model).expanduser()
        config: Any = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else None
        match config:
            case {"model_type": table.BM25}:
                return cls(folder, "BM25", checked_files(folder, lambda: _bm25(config)))
            case {"model_type": table.TFIDF_RANKING}:
                return cls(folder, "the cosine of tf-idf", checked_files(folder, lambda: _tfidf(config)))
        return None

    def told(self) -> list[str]:
        """What should be known before any document is read."""
        return [f"{self.folder.name}: {self.name}, by words that are counted over these documents"]

    def over(self, documents: Sequence[str]) -> "Bm25Ranking | TfidfRanking":
        """These documents, ready to be ranked.

        Raises:
            MissingExtraError: it is BM25, and bm25s is not installed.
        """
        return self.make(documents)


def _bm25(config: Mapping[str, Any]) -> Callable[[Sequence[str]], "Bm25Ranking"]:
    from acclimate.modeling.baselines.bm25_ranking import Bm25Ranking, check_installed

    check_installed()
    k1, b, marks = float(config["k1"]), float(config["b"]), bool(config["marks"])
    return lambda documents: Bm25Ranking(documents, k1, b, marks)


def _tfidf(config: Mapping[str, Any]) -> Callable[[Sequence[str]], "TfidfRanking"]:
    from acclimate.modeling.baselines.tfidf_model import Terms
    from acclimate.modeling.baselines.tfidf_ranking import TfidfRanking

    terms = Terms(int(config["ngrams"]), int(config["most"]), bool(config["marks"]))
    return lambda documents: TfidfRanking(documents, terms)
