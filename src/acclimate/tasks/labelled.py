"""Items with what is right for them by themselves, for measuring a trained model on them."""

from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Source
from acclimate.errors import DataError
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.rows import Rows, read_rows


def read_labelled(source: Source, kind: LabelledKind, columns: dict[str, str], names: tuple[str, ...]) -> tuple[Rows, int]:
    """The rows that a model which knows `names` can be judged by, read as strictly as a study reads them, and how many were skipped.

    Raises:
        DataError: there are no labels at all, or rows cannot be used; names file and line.
    """
    if why := kind.lacking(source, columns, None):
        named = f"name the column that holds them with `{kind.gold_role()}:`"
        raise DataError(f"{source.files[0]}: scores need {kind.gold_is}, and there are none ({why}); {named}")
    with Problems(kind.skip_bad) as problems:
        rows = read_rows(source, kind.read, columns, kind.texts(), None, problems)
        known = kind.known_to_model(rows, names, problems)
        if len(rows) and not len(known) and kind.skip_bad:
            problems.fatal("no usable record", source.files[0], None, "no row has a label that the model knows")
    return known, problems.rejected
