"""The page fetches nothing: what a study names of a hub is read from this machine's cache, or said to be missing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")


@contextmanager
def stay_here() -> Iterator[None]:
    """Within the block libraries of the hub are told not to ask it; they read this when they are imported, which no verb does before."""
    before = {name: os.environ.get(name) for name in OFFLINE}
    os.environ.update(dict.fromkeys(OFFLINE, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
