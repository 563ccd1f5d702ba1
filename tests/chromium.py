"""Chromium without a screen, as the machine has it or as playwright installed it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; the test is skipped where there is none, which in CI is a failure."""
    with sync_playwright() as driver:
        path = CHROMIUM or driver.chromium.executable_path  # playwright's own, where that was installed
        if not Path(path).is_file():
            pytest.skip("needs Chromium: apt-get install chromium, or playwright install chromium")
        found = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()
