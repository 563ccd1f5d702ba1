"""The reference that is committed is the one that the code would write today."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(("file", "options"), [("study.schema.json", []), ("study-file.md", ["--markdown"])])
def test_committed_reference_is_up_to_date(file: str, options: list[str]) -> None:
    acclimate = Path(sys.executable).with_name("acclimate")
    written = subprocess.run([acclimate, "schema", *options], check=True, capture_output=True, text=True).stdout
    assert (ROOT / "docs" / file).read_text(encoding="utf-8") == written, "run `make docs`, and commit what it wrote"
