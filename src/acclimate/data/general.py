"""The small general corpus that comes with the package: public-domain English, to replay and to measure forgetting by."""

from pathlib import Path

from acclimate.errors import DataError

GENERAL = "acclimate-general"
"""Its name: it may stand wherever the path of a corpus may."""

_FOLDER = Path(__file__).parents[1] / "corpora" / "general"


def general_text() -> Path:
    """The file of its documents, one a line, zstd-compressed; about a million words.

    Raises:
        DataError: the package is not whole.
    """
    return _there("read.txt.zst")


def general_heldout() -> Path:
    """The file of the 100 documents by which models are judged; they are no part of `general_text`, and no stage reads them.

    Raises:
        DataError: the package is not whole.
    """
    return _there("heldout.txt.zst")


def _there(name: str) -> Path:
    path = _FOLDER / name
    if not path.is_file():
        raise DataError(f"{GENERAL}: {path} is not there; acclimate is not installed whole, so install it again")
    return path
