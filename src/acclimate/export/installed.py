"""Whether what an export needs is installed; asked before anything is imported that needs it."""

import importlib.util

from acclimate.errors import MissingExtraError

PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def check_installed() -> None:
    """Refuse to begin without it.

    Raises:
        MissingExtraError: something is not installed.
    """
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        raise MissingExtraError(f'an export to ONNX needs {", ".join(missing)}: pip install "acclimate[onnx]"')
