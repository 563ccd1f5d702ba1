"""What an engine is: it carries out a plan's stages somewhere, parents first. A new engine is one new file and one line in `ENGINES`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from acclimate.study.engines.reports import Report
from acclimate.training.progress import Progress

if TYPE_CHECKING:
    from acclimate.training.interrupt import StopRequest


@dataclass(frozen=True)
class Needs:
    """What a job takes of a machine; an engine that has several of them asks."""

    trains: bool = False  # it computes with torch: with all threads of a process, and on a GPU where there is one
    model_bytes: int = 0  # of the weights that it begins with


@dataclass(frozen=True)
class Shared:
    """What every machine must have as it is here, where a performer is opened on another one."""

    folders: tuple[Path, ...] = ()  # that are the same, and not only of one name
    places: tuple[Path, ...] = ()  # files and folders that are only read
    files: Mapping[str, str] = field(default_factory=dict)  # code of one's own: path -> SHA-256
    libraries: tuple[str, ...] = ()  # whose versions count
    check: Callable[[], None] | None = None  # called there, too: raises an AcclimateError where the store cannot be used


@dataclass(frozen=True)
class Job:
    """A stage to carry out."""

    key: str
    parents: tuple[str, ...]  # keys of the jobs that must be done before, where these are jobs at all
    title: str
    payload: Any  # what the performer is called with; it can be pickled
    needs: Needs = Needs()


class Performer(Protocol):
    """Carries out jobs in the process it lives in."""

    def execute(self, key: str, payload: Any) -> Report:
        """Do it; every failure becomes a report."""


class Setup(Protocol):
    """What a process needs to become a performer; it can be pickled."""

    @property
    def threads(self) -> int | None:
        """CPU threads of each process; None: torch's own choice."""

    @property
    def shared(self) -> Shared:
        """What another machine must see to open it."""

    @property
    def preload(self) -> tuple[str, ...]:
        """Modules that a process loads before its first job, whatever that is: several processes may share them."""

    def one_of(self, sharing: int, threads: int | None) -> Self:
        """The same for one of several processes: `sharing` of them take their memory from one device."""

    def together(self, processes: int) -> Self:
        """The same for one of several processes that do each job together, and that somebody ends when one of them is lost."""

    def open(self, stop: "StopRequest", send: Callable[[Progress], None]) -> Performer:
        """The performer of this process; it looks at `stop` while it works, and sends how far its job has come."""


AnySetup = TypeVar("AnySetup", bound=Setup)


class Watcher(Protocol):
    """Told in the main process what becomes of the jobs, always from the same thread."""

    @property
    def owns_terminal(self) -> bool:
        """Whether a live view is drawn there: then whatever else would be printed goes through `say`."""

    def began(self, key: str) -> None:
        """Somebody works on this job now."""

    def progress(self, key: str, progress: Progress) -> None:
        """How far it has come."""

    def lost(self, key: str, why: str) -> None:
        """Whoever worked on it is gone; it begins again, elsewhere."""

    def ended(self, report: Report) -> None:
        """It is done, or will not be."""


class Unwatched:
    """The watcher where nobody watches."""

    owns_terminal = False

    def began(self, key: str) -> None: ...
    def progress(self, key: str, progress: Progress) -> None: ...
    def lost(self, key: str, why: str) -> None: ...
    def ended(self, report: Report) -> None: ...


UNWATCHED = Unwatched()


class Engine(Protocol):
    """Somewhere to run jobs."""

    def settle(self, setup: AnySetup) -> AnySetup:
        """The setup with what only the engine knows: how many processes share a device and the processors."""

    def close(self) -> None:
        """Let go of what it holds, whether it ran or not; whoever made it does so."""

    def run(self, jobs: list[Job], setup: Setup, say: Callable[[str], None], watcher: Watcher = UNWATCHED) -> dict[str, Report]:
        """Carry out all jobs, parents before children; a failure stops only what needs it.

        Returns a report a job. Jobs of which a parent failed are failed, too, with an error that names it. After an interrupt the jobs that
        never began have no report.
        """


def failed_parent(job: Job, reports: dict[str, Report], titles: dict[str, str]) -> Report | None:
    """The report of a job of which a parent failed; None where it can run."""
    known = (reports[key] for key in job.parents if key in reports)
    parent = next((report for report in known if report.status == "failed"), None)
    if parent is None:
        return None
    if parent.error.startswith("needs '"):
        return Report(job.key, "failed", parent.error)  # the first cause says more than a chain of them
    return Report(job.key, "failed", f"needs '{titles[parent.key]}', which failed: {parent.error}")


def tell(report: Report, job: Job, say: Callable[[str], None], watcher: Watcher) -> None:
    """One line about how a job ended, and the whole of it to the watcher."""
    watcher.ended(report)
    say(f"{report.status}: {job.title}" + (f" — {report.error.splitlines()[0]}" if report.error else ""))
