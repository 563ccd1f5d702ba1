from types import SimpleNamespace

from acclimate.stages.watched import watched
from acclimate.training.progress import Silent


class Steps(Silent):
    def start(self, title, steps, done):
        self.steps, self.seen = steps, []

    def step(self, done, *_):
        self.seen.append(done)


def test_passes_that_are_not_full_are_no_more_steps_than_were_told():
    reporter = Steps()
    told = watched(SimpleNamespace(title="tried", runtime=SimpleNamespace(reporter=reporter, stop=SimpleNamespace(asked=False))), "dev", 10)
    for done in (7, 14, 21, 25):
        told(done, 25)
    assert (reporter.steps, reporter.seen) == (3, [1, 2, 3, 3])
