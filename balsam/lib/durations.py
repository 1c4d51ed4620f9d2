"""Durations as schedulers and people write them.

What cannot be read is an error, never a wrong number: ``5:30`` is five and a half minutes, as Slurm means it.
"""

import re
from datetime import timedelta

__all__ = ["format_clock", "format_days", "human_duration", "parse_duration"]

#: sbatch(1), option --time: "minutes", "minutes:seconds", "hours:minutes:seconds", "days-hours",
#: "days-hours:minutes" and "days-hours:minutes:seconds". Cobalt and PBS write the third.
_CLOCK = re.compile(r"(?:(?P<days>\d+)-)?(?P<first>\d+)(?::(?P<second>\d+))?(?::(?P<third>\d+))?", re.ASCII)
_MINUTES = re.compile(r"\d+\.\d*|\.\d+", re.ASCII)
_ONE_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|min|m|sec|s)\s*", re.ASCII | re.IGNORECASE)
_UNITS = re.compile(f"(?:{_ONE_UNIT.pattern})+", _ONE_UNIT.flags)
_UNIT_SEC = {"d": 86_400, "h": 3600, "min": 60, "m": 60, "sec": 1, "s": 1}


def parse_duration(text: str | float) -> timedelta:
    """Read minutes (``90``, ``1.5``), ``M:S``, ``H:M:S``, ``D-H``, ``D-H:M``, ``D-H:M:S`` or ``1h 30m``.

    Raises ValueError for anything else, such as ``UNLIMITED`` or a negative time.
    """
    try:
        duration = timedelta(seconds=_text_sec(text.strip()) if isinstance(text, str) else text * 60)
    except (ValueError, OverflowError):
        raise _not_a_duration(text) from None
    if duration < timedelta(0):
        raise _not_a_duration(text)
    return duration


def _not_a_duration(text: object) -> ValueError:
    return ValueError(f"not a duration: {text!r}. Write minutes, H:M:S, D-HH:MM:SS, or units as in 1h 30m.")


def _text_sec(written: str) -> float:
    clock = _CLOCK.fullmatch(written)
    if clock:
        return _clock_sec(clock)
    if _MINUTES.fullmatch(written):
        return float(written) * 60
    if _UNITS.fullmatch(written):
        return sum(float(number) * _UNIT_SEC[unit.lower()] for number, unit in _ONE_UNIT.findall(written))
    raise ValueError(written)


def _clock_sec(found: re.Match[str]) -> int:
    first, second, third = (int(found[name] or 0) for name in ("first", "second", "third"))
    if found["days"] is not None:
        return int(found["days"]) * 86_400 + first * 3600 + second * 60 + third
    if found["third"] is not None:
        return first * 3600 + second * 60 + third
    return first * 60 + second


def format_clock(duration: timedelta) -> str:
    """Write ``HH:MM:SS`` with as many hours as there are; parts of a second are rounded up."""
    minutes, seconds = divmod(_whole_seconds(duration), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def format_days(duration: timedelta) -> str:
    """Write ``HH:MM:SS``, or ``D-HH:MM:SS`` from one day on; parts of a second are rounded up."""
    days, seconds = divmod(_whole_seconds(duration), 86_400)
    clock = format_clock(timedelta(seconds=seconds))
    return f"{days}-{clock}" if days else clock


def _whole_seconds(duration: timedelta) -> int:
    return -(-duration // timedelta(seconds=1))


def human_duration(seconds: float) -> str:
    """Write a duration for people, in its two largest units: ``0.4 s``, ``42 s``, ``3 m 12 s``."""
    if abs(seconds) < 9.95:
        return f"{seconds:.1f} s"
    sign = "-" if seconds < 0 else ""
    whole = round(abs(seconds))
    if whole < 60:
        return f"{sign}{whole} s"
    if whole < 3600:
        return f"{sign}{whole // 60} m {whole % 60} s"
    if whole < 86_400:
        return f"{sign}{whole // 3600} h {whole % 3600 // 60} m"
    return f"{sign}{whole // 86_400} d {whole % 86_400 // 3600} h"
