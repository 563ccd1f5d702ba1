"""Which column is the text and which the label: stated by the user, or detected by name and shown."""

from collections.abc import Sequence

from acclimate.errors import DataError

# In order of preference; compared without regard to case.
_NAMES = {
    "text": ("text", "sentence", "document", "content", "body", "abstract", "review", "article", "clause", "description", "comment"),
    "label": ("label", "labels", "class", "category", "target", "gold_label", "type", "topic", "sentiment", "intent"),
}


def detect_column(role: str, columns: Sequence[str], where: str, taken: Sequence[str] = ()) -> str:
    """The column for a role (`text` or `label`): the best-known name, else the only column that is left.

    Raises:
        DataError: no name is known and several columns are left, or none.
    """
    left = [column for column in columns if column not in taken]
    for name in _NAMES[role]:
        for column in left:
            if column.casefold() == name:
                return column
    if len(left) == 1:
        return left[0]
    named = ", ".join(map(repr, columns)) or "none that could be read"
    raise DataError(f"{where}: which column is the {role}? Name it with `{role}:`; the columns are {named}")
