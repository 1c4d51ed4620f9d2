"""The collector is as it was before, whatever happens meanwhile."""

import gc

import pytest

from balsam.lib.many_objects import no_garbage_expected


def test_collector_pauses_and_goes_on():
    with no_garbage_expected():
        assert not gc.isenabled()
        with no_garbage_expected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), no_garbage_expected():
        _ = 1 / 0
    assert gc.isenabled()


def test_collector_that_somebody_has_switched_off_stays_off():
    gc.disable()
    try:
        with no_garbage_expected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
