from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balsam.lib.durations import format_clock, format_days, human_duration, parse_duration

WHOLE_SECONDS = st.integers(0, 10**9).map(lambda seconds: timedelta(seconds=seconds))


def hms(hours: int, minutes: int = 0, seconds: float = 0) -> timedelta:
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


@pytest.mark.parametrize(
    ("written", "duration"),
    [
        ("90", hms(1, 30)),
        (90, hms(1, 30)),
        ("0.1", hms(0, 0, 6)),
        (1.5, hms(0, 1, 30)),
        ("5:30", hms(0, 5, 30)),
        ("90:00", hms(1, 30)),
        ("1:02:03", hms(1, 2, 3)),
        ("30:00:00", hms(30)),
        ("001:00:00", hms(1)),
        ("2-3", hms(51)),
        ("1-12:30", hms(36, 30)),
        ("1-00:00:00", hms(24)),
        (" 10:00 ", hms(0, 10)),
        ("0", hms(0)),
        ("90s", hms(0, 1, 30)),
        ("1h 30m", hms(1, 30)),
        ("1h30min", hms(1, 30)),
        ("2 d", hms(48)),
        ("1.5H", hms(1, 30)),
    ],
)
def test_written_forms_are_read(written: str | float, duration: timedelta) -> None:
    assert parse_duration(written) == duration


@pytest.mark.parametrize(
    "written",
    [
        "",
        "UNLIMITED",
        "N/A",
        "-5",
        "1:2:3:4",
        "1::2",
        "a:b",
        "nan",
        "inf",
        "1e999",
        "5 x",
        "1-",
        "12:30 PM",
        "٣",
    ],
)
def test_anything_else_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(written)


@given(WHOLE_SECONDS)
def test_what_is_written_is_read_back(duration: timedelta) -> None:
    assert parse_duration(format_clock(duration)) == duration
    assert parse_duration(format_days(duration)) == duration


@pytest.mark.parametrize(
    ("duration", "clock", "days"),
    [
        (hms(0), "00:00:00", "00:00:00"),
        (hms(0, 0, 0.2), "00:00:01", "00:00:01"),
        (hms(1, 2, 3), "01:02:03", "01:02:03"),
        (hms(24), "24:00:00", "1-00:00:00"),
        (hms(1000, 59, 59), "1000:59:59", "41-16:59:59"),
    ],
)
def test_scheduler_forms(duration: timedelta, clock: str, days: str) -> None:
    assert format_clock(duration) == clock
    assert format_days(duration) == days


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.42, "0.4 s"),
        (9.949, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 m 0 s"),
        (192, "3 m 12 s"),
        (3599.6, "1 h 0 m"),
        (7500, "2 h 5 m"),
        (86_399.9, "1 d 0 h"),
        (190_800, "2 d 5 h"),
        (-75, "-1 m 15 s"),
    ],
)
def test_people_see_two_units(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text
