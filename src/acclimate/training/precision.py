"""The precisions that training may be asked for: known to a plan and the command line too, which do without torch."""

from typing import Literal, get_args

Precision = Literal["auto", "float32", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
