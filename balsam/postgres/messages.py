"""Find, in what a program of PostgreSQL printed, the lines that say why it failed."""

import re

_TELLING = re.compile(r"\b(FATAL|PANIC|ERROR|error|could not|cannot|invalid|unrecognized|denied|No space)\b")
#: The stamp in front of a log line: date, time, zone and process.
_STAMP = re.compile(r"^\d{4}-\d\d-\d\d \S+ \w+ (\[\d+\] )?")
_LIMIT = 4


def reason(printed: str) -> str:
    """Return the lines that tell, else the last ones, as one line without time stamps."""
    lines = [_STAMP.sub("", line).strip() for line in printed.splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.search(line)]
    return " / ".join((telling or lines)[-_LIMIT:]) or "it said nothing"
