"""Signals that ask for a stop are noted, none is lost while a process starts, and one that is ignored stays so."""

import os
import signal
import threading

import pytest

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
