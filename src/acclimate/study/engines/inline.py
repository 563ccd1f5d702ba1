"""The engine that runs everything in this process: under torchrun, where all processes train together, and for debugging."""

from collections.abc import Callable

from acclimate.study.engines.base import Job, Setup, failed_parent, tell
from acclimate.study.engines.reports import Report


class Inline:
    """One job after the other, here."""

    def run(self, jobs: list[Job], setup: Setup, say: Callable[[str], None]) -> dict[str, Report]:
        """Carry out the jobs in their order."""
        from acclimate.training.interrupt import StopRequest, stop_on_signals

        stop = StopRequest()
        worker = setup.open(stop)
        titles = {job.key: job.title for job in jobs}
        reports: dict[str, Report] = {}
        with stop_on_signals(stop):
            for job in jobs:
                reports[job.key] = failed_parent(job, reports, titles) or worker.execute(job.key, job.payload)
                tell(reports[job.key], job, say)
                if reports[job.key].status == "interrupted":
                    break
        return reports
