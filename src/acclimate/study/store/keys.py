"""Keys of artifacts: 64 hexadecimal digits, of which names of folders and locks show the first."""

import re

SHORT = 16  # digits in a name


def is_key(text: str) -> bool:
    """Whether a text that somebody else wrote has the form of a key."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


def short(key: str) -> str:
    """The beginning of a key, as names show it."""
    assert is_key(key), f"not a key: {key!r}"
    return key[:SHORT]
