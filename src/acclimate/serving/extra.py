"""Whether what a server is made of is installed; imported before anything of it is."""

from importlib.util import find_spec

from acclimate.errors import MissingExtraError


def check_installed(verb: str = "serve") -> None:
    """Look for the libraries.

    Raises:
        MissingExtraError: one of them is not there.
    """
    for name in ("starlette", "uvicorn"):
        if find_spec(name) is None:
            raise MissingExtraError(f'acclimate {verb} needs {name}: pip install "acclimate[{verb}]"')
