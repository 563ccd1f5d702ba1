"""The engine that runs everything in this process: under torchrun, where all processes train together, and for debugging."""

from collections.abc import Callable

from acclimate.errors import SettingsError
from acclimate.study.engines.engine import UNWATCHED, AnySetup, Job, Setup, Watcher, failed_parent, tell
from acclimate.study.engines.reports import Report
from acclimate.training.progress import Progress


class Inline:
    """One job after the other, here.

    Raises:
        SettingsError: several workers were asked for.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers > 1:
            raise SettingsError(f"{workers} workers: everything is done in one process here (engine inline, or torchrun)")

    def settle(self, setup: AnySetup) -> AnySetup:
        """As it is: nobody shares anything."""
        return setup

    def close(self) -> None:
        """Between runs it holds nothing."""

    def run(self, jobs: list[Job], setup: Setup, say: Callable[[str], None], watcher: Watcher = UNWATCHED) -> dict[str, Report]:
        """Carry out the jobs in their order."""
        from acclimate.training.interrupt import StopRequest, stop_on_signals

        stop = StopRequest()
        at_work = ""

        def send(progress: Progress) -> None:
            watcher.progress(at_work, progress)

        worker = setup.open(stop, send)
        titles = {job.key: job.title for job in jobs}
        reports: dict[str, Report] = {}
        with stop_on_signals(stop):
            for job in jobs:
                report = failed_parent(job, reports, titles)
                if report is None:
                    at_work = job.key
                    watcher.began(job.key)
                    report = worker.execute(job.key, job.payload)
                reports[job.key] = report
                tell(report, job, say, watcher)
                if reports[job.key].status == "interrupted":
                    break
        return reports
