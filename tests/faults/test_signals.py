"""Signals that ask for a stop are noted, none is lost while a process starts, and one that is ignored stays so."""

import itertools
import os
import signal
import threading

import psutil
import pytest
import torch
from tests.faults.program import started, wait_for
from tests.training.test_loop import Toy, run, weights

from acclimate.errors import Interrupted
from acclimate.training import checkpoint
from acclimate.training.interrupt import STOPS, StopRequest, held_back, stop_on_signals


@pytest.mark.parametrize("number", STOPS)
def test_every_signal_that_ends_a_process_asks_for_a_stop(number):
    before = [signal.getsignal(each) for each in STOPS]
    request = StopRequest()
    with stop_on_signals(request):
        os.kill(os.getpid(), number)
        assert request.asked
    assert [signal.getsignal(each) for each in STOPS] == before


def test_nohup_is_obeyed():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        request = StopRequest()
        with stop_on_signals(request):
            os.kill(os.getpid(), signal.SIGHUP)
            assert not request.asked
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_that_comes_while_a_worker_starts_is_heard_afterwards(number):
    request = StopRequest()
    with stop_on_signals(request):
        with held_back(STOPS):
            # To this thread: of those to the process as a whole, another thread (a library's) takes what this one holds back.
            signal.pthread_kill(threading.get_ident(), number)
            assert not request.asked
        assert request.asked


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_running_job_save_and_starts_no_other(tmp_path, number):
    process = started(tmp_path)
    wait_for(process, tmp_path / "diary", "b")
    process.send_signal(number)
    output, _ = process.communicate()
    assert "{'a': 'done', 'b': 'interrupted'}" in output
    assert process.returncode == 0


@pytest.mark.parametrize("moment", ["in a step", "in a save"])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_keeps_nothing_from_going_on(tmp_path, monkeypatch, moment, second):
    """A second Ctrl-C stops at once, a second SIGTERM waits for the step as the first does; a scheduler sends it again and again."""
    straight, _ = run(tmp_path / "straight", model=Toy(0.3))
    calls, place = itertools.count(1), (checkpoint, "_save") if moment == "in a save" else (Toy, "forward")
    whole = getattr(*place)

    def twice(*what, **more):
        if next(calls) == 9:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), second)
        return whole(*what, **more)

    stop, folder = StopRequest(), tmp_path / "stopped"
    with monkeypatch.context() as patch, stop_on_signals(stop):
        patch.setattr(*place, twice)
        with pytest.raises(KeyboardInterrupt if second == signal.SIGINT else Interrupted):
            run(folder, model=Toy(0.3), stop=stop)
    model, result = run(folder, model=Toy(0.3))
    assert result.steps == 24
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in weights(straight).items())


def test_a_second_ctrl_c_ends_workers_that_do_not_stop(tmp_path):
    process = started(tmp_path, "deaf")
    wait_for(process, tmp_path / "diary", "b")
    process.send_signal(signal.SIGINT)
    wait_for(process, tmp_path / "diary", "heard")
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode not in (0, None)
    psutil.wait_procs(workers)
