"""Processes that hold a key of a store in a bucket, to be killed."""

import time
from pathlib import Path

from acclimate.study.store.claims import Terms
from acclimate.study.store.objects import ObjectStore

QUICK = Terms(lease=1.0, renew=0.1, ask=0.05)  # where a claim is to expire
PATIENT = Terms(renew=0.1, ask=0.05)  # where it is not, on a busy machine neither
BRINGING = Terms(renew=0.1, ask=0.05, bring=0.05)  # where checkpoints are to be brought


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


def compute_each(address: str, root: Path, keys: list[str]) -> None:
    """Have each of the keys, one after the other, and note in `root` which were computed here."""
    store, computed = ObjectStore(address, root, PATIENT), []
    for key in keys:
        with store.lock(key):
            if not store.has(key):
                computed.append(key)
                with store.building(key, {"stage": {"stage": "pretrain"}}) as folder:
                    (folder / "weights").write_text(key)
        with store.using(key) as folder:
            assert (folder / "weights").read_text() == key
    (root / "computed").write_text("\n".join(computed))
