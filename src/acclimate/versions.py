"""The versions of installed packages, which keys hold and results name."""

from functools import cache
from importlib import metadata


@cache
def version(package: str) -> str:
    """The installed version of a package, looked up once a process: it is a file to read and parse, and a plan asks for every stage.

    Raises:
        PackageNotFoundError: it is not installed.
    """
    return metadata.version(package)
