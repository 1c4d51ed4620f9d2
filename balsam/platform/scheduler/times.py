"""Times as batch systems write them; what cannot be read, and what is no time, is None."""

from datetime import UTC, datetime, timedelta

from balsam.lib.durations import format_clock, parse_duration

__all__ = ["clock", "minutes", "utc", "utc_without_year", "whole_minutes"]


def clock(wall_time_min: int) -> str:
    """Write minutes as ``HH:MM:SS``, which every batch system reads: 90 are ``01:30:00``."""
    return format_clock(timedelta(minutes=wall_time_min))


def minutes(text: str) -> float | None:
    """Read ``M:S``, ``H:M:S`` or ``D-H:M:S``; None for ``UNLIMITED``, ``N/A``, ``INVALID``, ``NOT_SET``, …"""
    if ":" not in text:
        return None
    try:
        return parse_duration(text) / timedelta(minutes=1)
    except (ValueError, OverflowError):
        return None


def whole_minutes(text: str) -> int | None:
    """Read a time limit, rounded up to minutes."""
    found = minutes(text)
    return None if found is None else -int(-found // 1)


def utc(text: str, *layouts: str) -> datetime | None:
    """Read the time of a command that ran with ``TZ=UTC``, in the first layout that fits."""
    words = " ".join(text.split())
    for layout in layouts:
        try:
            return datetime.strptime(words, layout).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def utc_without_year(text: str, layout: str, now: datetime) -> datetime | None:
    """Read a time that says no year, which is of the year before the next day after ``now``."""
    for year in range(now.year + 1, now.year - 8, -1):  # there is a 29 February in eight years
        found = utc(f"{year} {text}", f"%Y {layout}")
        if found is not None and found <= now + timedelta(days=1):
            return found
    return None
