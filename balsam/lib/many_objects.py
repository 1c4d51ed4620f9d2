"""Make objects by the ten thousand without looking for garbage among them again and again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["no_garbage_expected"]


@contextmanager
def no_garbage_expected() -> Iterator[None]:
    """Have Python's collector pause: each look goes over all objects, and takes a fourth of the time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
