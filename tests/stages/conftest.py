"""What holds for the tests of all stages."""

import pytest

from acclimate.evaluation import speed


@pytest.fixture(autouse=True, scope="module")
def models_are_timed_once():
    """What `prune` and `extend` gain is timed in fifteen rounds, which takes longer than all else that they do here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed, "ROUNDS", 1)
        yield
