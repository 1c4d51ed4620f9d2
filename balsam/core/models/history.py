"""The text form of a job's history, as scripts know it: newline, ``[stamp STATE] message``."""

from datetime import UTC, datetime

TIME_FMT = "%m-%d-%Y %H:%M:%S.%f"


def get_time_string(when: datetime | None = None) -> str:
    """Render a UTC time (default: now) as the history does."""
    return (when or datetime.now(UTC)).strftime(TIME_FMT)


def from_time_string(text: str) -> datetime:
    """Parse a history time; the result is naive UTC.

    Raises ValueError when the text is no such time.
    """
    return datetime.strptime(text, TIME_FMT)


def history_line(state: str = "CREATED", message: str = "", when: datetime | None = None) -> str:
    """Render one entry, which starts with a newline: ``[01-31-2021 12:34:56.789000 RUNNING] message``."""
    return f"\n[{get_time_string(when)} {state}] {message}".rstrip(" ")
