"""Processes that hold a key of a store in a bucket, to be killed."""

import time
from pathlib import Path

from acclimate.study.store.claims import Terms
from acclimate.study.store.objects import ObjectStore

QUICK = Terms(lease=1.0, renew=0.1, ask=0.05)


def bring_and_hang(address: str, root: Path, key: str, sign: Path) -> None:
    """Make an artifact, and hang when half of it is in the bucket."""
    store = ObjectStore(address, root, QUICK)
    upload = store.bucket.upload

    def one_file_and_no_more(file: Path, name: str) -> None:
        upload(file, name)
        sign.touch()
        time.sleep(3600)

    store.bucket.upload = one_file_and_no_more  # type: ignore[method-assign]
    with store.lock(key), store.building(key, {"stage": {"stage": "pretrain"}}) as folder:
        (folder / "metrics.json").write_text("{}")
        (folder / "weights").write_text("of the one that is killed")
