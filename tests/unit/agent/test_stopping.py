"""Reasons to stop: signals, and sessions that were lost."""

import os
import signal
import threading

from balsam.agent.stopping import Stopping


def test_signal_is_a_reason_to_end():
    stopping = Stopping()
    with stopping.on_signals(hangup_ends=True):
        os.kill(os.getpid(), signal.SIGHUP)
        reason = stopping.wait()
    assert (reason.text, reason.is_lost) == ("The service was stopped by SIGHUP", False)


def test_hangup_is_no_reason_for_a_daemon_and_programs_do_not_inherit_that():
    stopping = Stopping()
    with stopping.on_signals(hangup_ends=False):
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopping.wait().text == "The service was stopped by SIGTERM"


def test_loss_that_another_thread_tells_ends_the_wait():
    stopping = Stopping()
    threading.Thread(target=stopping.lost, args=["gone"]).start()
    reason = stopping.wait()
    assert (reason.text, reason.is_lost) == ("The session was lost (gone)", True)


def test_being_told_to_stop_wins_over_losses_and_is_never_forgotten():
    stopping = Stopping()
    stopping.lost("gone")
    with stopping.on_signals(hangup_ends=False):
        os.kill(os.getpid(), signal.SIGTERM)
        stopping.lost("gone again")
        stopping.forget_losses()
        assert not stopping.wait().is_lost


def test_loss_that_is_told_late_does_not_end_the_next_session():
    stopping = Stopping()
    stopping.lost("gone")
    assert stopping.wait().is_lost
    stopping.lost("gone")
    stopping.forget_losses()
    with stopping.on_signals(hangup_ends=False):
        os.kill(os.getpid(), signal.SIGTERM)
        assert not stopping.wait().is_lost
