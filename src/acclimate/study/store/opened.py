"""Where artifacts are kept, as the user says it: a folder, or the address of a bucket."""

import re
from pathlib import Path
from typing import TypeGuard

from acclimate.errors import SettingsError
from acclimate.study.store.artifacts import Store

Place = Path | str
"""A folder, or an address such as `s3://bucket/prefix`."""


def place(said: str) -> Place:
    """What was given with --store."""
    return said if is_address(said) else Path(said)


def is_address(where: Place) -> TypeGuard[str]:
    """Whether a place is the address of a bucket, and no folder."""
    return isinstance(where, str) and "://" in where


def anywhere(where: Place) -> Place:
    """The same place where another folder is the current one."""
    return where if is_address(where) else Path(where).absolute()


def open_store(where: Place) -> Store:
    """The store at a place; nothing is looked at yet.

    Raises:
        SettingsError: this is no address of a store.
    """
    if is_address(where):
        from acclimate.study.store.objects import ObjectStore, cache_of

        return ObjectStore(where, cache_of(where))
    if (found := re.match(r"(s3|gs|az):/", str(where))) is not None:
        raise SettingsError(f"{where}: a Path cannot hold an address; give it as a text, '{found[1]}://...'")
    return Store(Path(where))


def check_usable(where: Place) -> None:
    """See that the store at a place can be written from this machine.

    Raises:
        AcclimateError: it cannot: rights, credentials, a network, a client that is not installed.
    """
    open_store(where).check_writable()
