"""How a job ended."""

from dataclasses import dataclass
from typing import Literal

NOT_BEGUN = "stopped before it began"  # the error of an interrupted job that has nothing to save


@dataclass(frozen=True)
class Report:
    """How a job ended; `error` says why where it is not done, its first line in short."""

    key: str
    status: Literal["done", "failed", "interrupted"]
    error: str = ""
    exit_code: int = 1  # what a command that did this job alone would end with, where it failed
