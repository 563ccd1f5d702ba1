"""What running studies need, so that nobody tidies it away: each keeps a list of keys, locked for as long as its process lives.

<root>/locks/<name>.lease        JSON: the short keys of a plan
<root>/locks/<name>.lease.lock   held by the study; who can take it knows that the study is gone
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from acclimate.errors import StoreError
from acclimate.files import locked, read_json, write_json
from acclimate.locks import Busy, acquire

ENDING = ".lease"


@contextmanager
def leased(locks: Path, keys: Iterable[str]) -> Iterator[None]:
    """Hold a lease of these keys; a dead process frees its own. The caller keeps tidying out while this begins."""
    file = locks / f"{uuid.uuid4().hex}{ENDING}"
    lock = file.with_name(f"{file.name}.lock")
    # The lock first: a list without a lock is that of a dead study.
    with locked(lock, timeout=0):
        write_json(file, sorted(keys))
        try:
            yield
        finally:
            file.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)


def leases(locks: Path) -> set[str] | None:
    """The keys that running studies hold; None where no study runs. The lists of dead ones are removed."""
    found: set[str] = set()
    running = False
    for file in sorted(locks.glob(f"*{ENDING}")):
        lock = file.with_name(f"{file.name}.lock")
        try:
            with ExitStack() as stack:
                acquire(stack, lock, "a study", 0)
                file.unlink(missing_ok=True)
                lock.unlink(missing_ok=True)
        except Busy:
            running = True
            try:
                found.update(map(str, read_json(file)))
            except StoreError:
                if file.exists():
                    raise
    return found if running else None
