"""Whether what an export needs is installed; asked before anything is imported that needs it."""

import importlib.util
from collections.abc import Sequence

from acclimate.errors import MissingExtraError

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
RUNNER = ("onnxruntime",)  # is what an exported model needs besides


def check_installed(what: str = "an export to ONNX", packages: Sequence[str] = PACKAGES) -> None:
    """Refuse to begin without it.

    Raises:
        MissingExtraError: something is not installed.
    """
    if missing := [name for name in packages if importlib.util.find_spec(name) is None]:
        raise MissingExtraError(f'{what} needs {", ".join(missing)}: pip install "acclimate[onnx]"')
