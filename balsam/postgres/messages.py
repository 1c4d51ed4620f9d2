"""Find, in what a program of PostgreSQL printed, the lines that say why it failed."""

import re

_TELLING = re.compile(r"\b(FATAL|PANIC|ERROR|error|could not|cannot|invalid|unrecognized|denied|space)\b")
#: What a server answers to clients that come too early.
_TO_CLIENTS = re.compile(r"the database system is (starting up|not yet accepting)")
#: What stands in front of a log line: the step of initdb; date, time, zone and process.
_STAMP = re.compile(r"^(.*\.\.\. )?\d{4}-\d\d-\d\d \S+ \w+ (\[\d+\] )?")
_LIMIT = 4


def reason(printed: str) -> str:
    """Return the first lines that tell, else the last of all, as one line without time stamps."""
    lines = [_STAMP.sub("", line).strip() for line in printed.splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.search(line) and not _TO_CLIENTS.search(line)]
    return " / ".join(telling[:_LIMIT] or lines[-_LIMIT:]) or "it said nothing"
