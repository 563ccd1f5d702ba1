"""Who does what, said to other machines by an object in a bucket, in the place of a lock.

A claim is renewed for as long as its process lives. Whoever has seen it stand unrenewed for long enough, by his own clock, takes it: the
clocks of machines need not agree. A process that was only held up goes on beside the other; then work is done twice, and no more: what
a stage makes is a function of its key alone, and of two artifacts of a key one is kept.
"""

import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from acclimate.errors import StoreError
from acclimate.locks import SILENT, Patience, Wait
from acclimate.study.store.bucket import Bucket, Found, Version


@dataclass(frozen=True)
class Terms:
    """The terms of claims, the same for all who share a bucket; in seconds."""

    lease: float = 60.0  # without a renewal, until a claim is free
    renew: float = 15.0
    ask: float = 2.0  # between two looks of whoever waits
    bring: float = 60.0  # at least, between two bringings of a stage's checkpoints into the bucket


TERMS = Terms()


@contextmanager
def claimed(
    bucket: Bucket, name: str, owner: str, what: str, timeout: float, patience: Patience = SILENT, terms: Terms = TERMS
) -> Iterator[None]:
    """Hold the claim `name` for the block; `what` says who else may hold it.

    Of one `owner` at most one process asks for a claim at a time: one of its own that it finds is a dead process's, and is taken at once.

    Raises:
        Busy: it was held for longer than `timeout` seconds (below 0: never).
        StoreError: the bucket cannot be used.
    """
    token = uuid.uuid4().hex
    facts = {"token": token, "owner": owner}
    version = _taken(bucket, name, facts, Wait(what, timeout, patience), terms)
    with renewed(bucket, name, facts, version, terms):
        yield


def _taken(bucket: Bucket, name: str, facts: Mapping[str, str], wait: Wait, terms: Terms) -> Version:
    seen: Version = {}
    since = 0.0
    while True:
        if (version := bucket.create(name, _content(facts, 0))) is not None:
            return version
        if (found := bucket.get(name)) is None:
            continue  # freed between the two
        holder = facts_of(found)
        if holder.get("token") == facts["token"]:
            return found.version  # the answer to our own writing was lost
        if found.version != seen:
            seen, since = found.version, time.monotonic()
        if holder.get("owner") == facts["owner"] or time.monotonic() - since >= terms.lease:
            if (version := bucket.replace(name, _content(facts, 0), found.version)) is not None:
                return version
            continue
        ask_again = time.monotonic() + terms.ask
        wait.again(name)
        while (left := ask_again - time.monotonic()) > 0:
            time.sleep(min(left, wait.left))
            wait.again(name)


@contextmanager
def renewed(bucket: Bucket, name: str, facts: Mapping[str, Any], version: Version, terms: Terms = TERMS) -> Iterator[None]:
    """Write an object anew again and again for as long as the block lasts, unless somebody else takes it; remove it in the end."""
    done = threading.Event()

    def renew() -> None:
        here, count = version, 0
        while not done.wait(terms.renew):
            count += 1
            with suppress(StoreError):  # a network that is gone for a while: who comes back in time has lost nothing
                after = bucket.replace(name, _content(facts, count), here)
                if after is None:
                    found = bucket.get(name)
                    if found is None or facts_of(found).get("token") != facts["token"]:
                        return  # it is somebody else's, and what we do is done twice
                    after = found.version  # ours, and the answer was lost
                here = after

    thread = threading.Thread(target=renew, name=f"renew {name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=terms.ask)
        # What cannot be removed is free after a while, and is no reason for work to have failed.
        with suppress(StoreError):
            found = bucket.get(name)
            if found is not None and facts_of(found).get("token") == facts["token"]:
                bucket.delete([name])


def facts_of(found: Found) -> dict[str, Any]:
    """What an object of ours says; nothing where it is not one."""
    with suppress(ValueError):
        facts = json.loads(found.content)
        if isinstance(facts, dict):
            return facts
    return {}


def _content(facts: Mapping[str, Any], count: int) -> bytes:
    # The count makes each renewal another content, and so another version.
    return json.dumps({**facts, "renewed": count}).encode()
