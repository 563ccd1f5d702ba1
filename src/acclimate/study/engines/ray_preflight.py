"""Before work is spent: does every node of a Ray cluster see the same files, with the same libraries, as the process that asks?"""

import hashlib
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acclimate.errors import AcclimateError, ClusterError
from acclimate.files import TEMPORARY_PREFIX
from acclimate.mounts import LOCKS, is_shared
from acclimate.study.engines.engine import Shared
from acclimate.study.engines.ray_cluster import Node
from acclimate.versions import version

ANSWER_SECONDS = 120.0  # that a node may take to start a process and answer
CLOCK_SECONDS = 30.0  # by which clocks may differ: ages in the store are times that nodes wrote
ROOM = 10**9  # bytes free for temporary files, below which it is said


@dataclass(frozen=True)
class Answer:
    """What one node sees."""

    versions: Mapping[str, str]
    seen: tuple[bool, ...]  # of each mark
    files: Mapping[str, str | None]  # path -> SHA-256; None: it is not there
    clock: float
    free: int  # bytes for temporary files
    store: str = ""  # why it cannot be used
    leases: tuple[bool, ...] = ()  # of each folder, whether leases are its locks there, and not the system's


def look_around(
    libraries: tuple[str, ...], marks: tuple[Path, ...], files: tuple[str, ...], check: Callable[[], None] | None = None,
    folders: tuple[Path, ...] = (),
) -> Answer:  # fmt: skip
    """Run on a node: what is there."""
    digests = {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() if Path(path).is_file() else None for path in files}
    free = shutil.disk_usage(tempfile.gettempdir()).free
    seen, clock, store = tuple(mark.exists() for mark in marks), time.time(), ""
    leases: tuple[bool, ...] = ()
    try:
        leases = tuple(map(is_shared, folders))
        if check is not None and all(seen):  # where a folder is another one nothing is written into it
            check()
    except AcclimateError as error:
        store = str(error)
    return Answer(versions(libraries), seen, digests, clock, free, store, leases)


def versions(libraries: tuple[str, ...]) -> dict[str, str]:
    """Of Python and of these libraries, here; empty where one is not installed."""
    import platform

    return {"python": platform.python_version(), **{name: version(name) for name in libraries}}


def preflight(ray: Any, nodes: list[Node], shared: Shared) -> list[str]:
    """Ask every node, and return what should be known besides.

    Raises:
        ClusterError: results would not be the same there, or could not be kept; names the node, what is wrong, and the mend.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ask = ray.remote(look_around)
    with _marks(shared.folders) as marks:
        began = time.time()
        told = (*(mark for mark in marks if mark is not None), *shared.places)
        asked = {
            ask.options(
                num_cpus=0, max_retries=0, name="preflight", scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)
            ).remote(shared.libraries, told, tuple(shared.files), shared.check, shared.folders): node
            for node in nodes
        }
        ready, silent = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_SECONDS)
        if silent:
            raise ClusterError(
                f"{_names(asked[ref] for ref in silent)}: no answer after {ANSWER_SECONDS:.0f} s; take it out of the cluster"
            )
        answers = {asked[ref].id: _answer(ray, ref, asked[ref]) for ref in ready}
        ended = time.time()
    here = versions(shared.libraries)
    asked_of = [*(folder for folder, mark in zip(shared.folders, marks, strict=True) if mark is not None), *shared.places]
    notes = []
    for node in nodes:
        answer = answers[node.id]
        why = unfit(node, answer, here, asked_of, shared.files) or other_locks(node, answer.leases, shared.folders)
        if why is not None:
            raise ClusterError(why)
        late = max(began - answer.clock, answer.clock - ended)
        if late > CLOCK_SECONDS:
            notes.append(
                f"{node.name}: its clock differs from here by {late:.0f} s; ages in the store will be wrong (chrony or ntp sets it)"
            )
        if answer.free < ROOM:
            notes.append(f"{node.name}: {answer.free / 1e6:,.0f} MB are free for temporary files ({tempfile.gettempdir()})")
    return notes


def _answer(ray: Any, ref: Any, node: Node) -> Answer:
    try:
        answer: Answer = ray.get(ref)
    except ray.exceptions.RayError as error:
        lines = str(error).strip().splitlines()
        raise ClusterError(
            f"{node.name}: a process there cannot answer ({lines[-1] if lines else type(error).__name__}); "
            "is acclimate installed there, as here?"
        ) from error
    return answer


def unfit(
    node: Node, answer: Answer, here: Mapping[str, str], folders: Sequence[Path | str], files: Mapping[str, str]
) -> str | None:  # fmt: skip
    """Why a node would not give the same results as this machine, or could not keep them; None where it would."""
    there = answer.versions
    other = [f"{name} {there.get(name) or 'missing'} (here {wanted})" for name, wanted in here.items() if there.get(name) != wanted]
    if other:
        return (
            f"{node.name}: other versions than here, which are part of what results are kept under: {', '.join(other)} — install the same "
            "on every node"
        )
    for folder, seen in zip(folders, answer.seen, strict=True):
        if not seen:
            return (
                f"{node.name}: does not see {folder} as it is here; store, study, data and bases must lie in folders that "
                "all nodes share, under one path"
            )
    if answer.store:
        return f"{node.name}: cannot use the store ({answer.store}); variables and rights are those with which `ray start` was called there"
    for path, digest in files.items():
        if answer.files[path] != digest:
            what = "is not there" if answer.files[path] is None else "is another file"
            return f"{node.name}: {path} {what}; code of one's own must lie in a folder that all nodes share"
    return None


def other_locks(node: Node, leases: Sequence[bool], folders: Sequence[Path]) -> str | None:
    """Why a node and this machine would not keep each other out of a folder; None where they would."""
    for folder, there in zip(folders, leases, strict=True):
        if (here := is_shared(folder)) != there:
            names = {True: "leases", False: "the system's locks"}
            return (
                f"{node.name}: keeps others out of {folder} by {names[there]}, and this machine by {names[here]}: they do not see each "
                f"other's; set {LOCKS}=leases on both, there where `ray start` is called"
            )
    return None


@contextmanager
def _marks(folders: tuple[Path, ...]) -> Iterator[list[Path | None]]:
    """A file in each folder by which a node knows that it is this one; None where nothing may be written."""
    with ExitStack() as stack:
        marks: list[Path | None] = []
        for folder in folders:
            mark = folder.absolute() / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-preflight"
            try:
                mark.touch(exist_ok=False)
            except OSError:
                marks.append(None)
                continue
            stack.callback(_remove, mark)
            marks.append(mark)
        yield marks


def _remove(mark: Path) -> None:
    with suppress(OSError):
        mark.unlink()


def _names(nodes: Any) -> str:
    return ", ".join(node.name for node in nodes)
