"""A student that was stopped in the middle of its training goes on bitwise as if it had not been, whatever of its teacher it learns."""

from dataclasses import replace

import pytest
from tests.stages.test_every_stage import context, files, world  # noqa: F401

from acclimate.errors import Interrupted
from acclimate.stages.distill import Distill
from acclimate.stages.pretrain import Pretrain


@pytest.mark.parametrize(
    "stage",
    [
        Distill(teacher="teacher", hidden="layers", epochs=1, min_steps=0, batch_size=8, lr=1e-2, evaluations=2, dropout=0.1),
        Distill(teacher="teacher", hidden="relations", epochs=1, min_steps=0, batch_size=8, lr=1e-2, evaluations=2, dropout=0.1),
        Pretrain(teacher="base", tokens=600, batch_tokens=128, max_length=32, lr=1e-2, evaluations=2, head_warmup=0, dropout=0.1),
    ],
    ids=["distill, layers", "distill, relations", "pretrain, taught"],
)
def test_stopped_in_the_middle_it_ends_bitwise_equal(world, stage, request):  # noqa: F811
    # The second of its others is the same world with a head for masked words.
    its = world if stage.stage == "distill" else replace(world.others[1], folder=world.folder)
    name = world.folder / request.node.callspec.id

    def run(where, stop_at=0):
        here = context(its, name / where, stop_at)
        return stage.run(its.parent, here), here

    whole, here = run("straight")
    steps = whole.metrics["steps"]
    assert steps >= 4
    for stop_at in (1, steps - 2):  # of its training: what a teacher said is kept by now
        with pytest.raises(Interrupted):
            run(f"stopped at {stop_at}", stop_at)
        outcome, there = run(f"stopped at {stop_at}")
        assert files(there.output) == files(here.output)
        assert (outcome.metrics, outcome.notes, outcome.log) == (whole.metrics, whole.notes, whole.log)
