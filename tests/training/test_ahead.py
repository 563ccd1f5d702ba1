import threading

import pytest

from acclimate.training.ahead import Ahead


@pytest.mark.parametrize("enabled", [True, False])
def test_every_step_gets_its_own_and_nothing_is_made_beyond_the_end(enabled):
    made = []

    def make(step):
        made.append(step)
        return step * step

    with Ahead(make, 6, enabled) as ahead:
        assert [ahead(step) for step in range(2, 6)] == [4, 9, 16, 25]
    assert made == [2, 3, 4, 5]


def test_the_next_one_is_made_while_the_caller_works():
    began = threading.Event()

    def make(step):
        if step == 1:
            began.set()
        return threading.get_ident()

    with Ahead(make, 2) as ahead:
        assert ahead(0) != threading.get_ident()
        assert began.wait(10)


def test_an_error_arises_where_its_step_is_asked_for():
    def make(step):
        return 1 // (step - 1)

    with Ahead(make, 5) as ahead:
        assert ahead(0) == -1
        with pytest.raises(ZeroDivisionError):
            ahead(1)
