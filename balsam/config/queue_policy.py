"""The queue policy: which queues `balsam service` may submit to, how much, and in which shapes.

The file is the user's: it is made when there is none, and never written again.
"""

import difflib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from balsam.config.home import balsam_home
from balsam.config.ini_file import IniFile, IniSection, IniValue, parse_ini
from balsam.config.machine_defaults import machine_named
from balsam.config.settings import UserSettings
from balsam.exceptions import ConfigError

__all__ = ["Band", "QueuePolicy", "QueueRule", "ensure_policy_file", "load_policy", "parse_policy"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,:@+/-]*")
_KEYS = ("submit-jobs", "max-queued", "policy")
_BAND_KEYS = ("min-nodes", "max-nodes", "min-time", "max-time")
_WORDS = {"1": True, "yes": True, "true": True, "on": True}
_WORDS |= {"0": False, "no": False, "false": False, "off": False}
_BAND_EXAMPLE = 'Write {"min-nodes": 1, "max-nodes": 16, "min-time": 0, "max-time": 1}.'


@dataclass(frozen=True, slots=True)
class Band:
    """Shapes that a queue takes: numbers of nodes, each for times in minutes; all bounds are inclusive."""

    min_nodes: int
    max_nodes: int
    min_time_min: int
    max_time_min: int

    def __str__(self) -> str:
        return f"{self.min_nodes}-{self.max_nodes} nodes for {self.min_time_min}-{self.max_time_min} min"


@dataclass(frozen=True, slots=True)
class QueueRule:
    """What the policy says of one queue."""

    name: str
    submit_jobs: bool
    max_queued: int
    bands: tuple[Band, ...]

    @property
    def is_open(self) -> bool:
        """Whether anything may be submitted to it at all."""
        return self.submit_jobs and self.max_queued > 0


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """The queues, in the order of the file."""

    path: Path
    queues: tuple[QueueRule, ...]


def ensure_policy_file(settings: UserSettings) -> Path:
    """Return the path of the policy file; one that does not exist is made with the machine's.

    Without a machine: Theta's, as the name of the file says. Raises ConfigError when it cannot be made.
    """
    path = balsam_home() / Path(settings.QUEUE_POLICY).expanduser()
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        machine = machine_named("theta" if settings.MACHINE == "auto" else settings.MACHINE)
        _create(path, machine.queue_policy.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"Cannot make the queue policy {path}: {error.strerror}. Make {path.parent} writable, or set "
            "QUEUE_POLICY in settings.json to the path of a policy file."
        ) from error
    return path


def load_policy(path: Path) -> QueuePolicy:
    """Read a policy file; raises ConfigError that says what is wrong on which line."""
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ConfigError(
            f"Cannot read the queue policy {path}: {error.strerror}. Correct its permissions, or move it "
            "away to have a new one made."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8. Save the file as UTF-8.") from error
    return parse_policy(path, text)


def parse_policy(path: Path, text: str) -> QueuePolicy:
    """Read the text of a policy file; see `load_policy`."""
    found = parse_ini(path, text)
    return QueuePolicy(path, tuple(_rule(found, section) for section in found.sections.values()))


def _create(path: Path, text: str) -> None:
    """Make a file complete in one step, and never over another."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(draft, 0o644)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)


def _rule(found: IniFile, section: IniSection) -> QueueRule:
    if not _NAME.fullmatch(section.name):
        raise found.error(
            section.line,
            f"{section.name!r} cannot be the name of a queue",
            "Write letters, digits and _ . , : @ + / - without blanks.",
        )
    for key, value in section.values.items():
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            advice = f"Did you mean {near[0]}?" if near else f"The keys are {', '.join(_KEYS)}."
            raise found.error(value.line, f"[{section.name}] has no key {key!r}", advice)
    missing = [key for key in _KEYS if key not in section.values]
    if missing:
        raise found.error(
            section.line, f"[{section.name}] does not set {' and '.join(missing)}", f"Add {missing[0]} = …"
        )
    values = section.values
    return QueueRule(
        section.name,
        _switch(found, values["submit-jobs"]),
        _limit(found, values["max-queued"]),
        _bands(found, values["policy"]),
    )


def _switch(found: IniFile, value: IniValue) -> bool:
    word = value.text.lower()
    if word not in _WORDS:
        raise found.error(value.line, f"submit-jobs is {value.text!r}", "Write on or off.")
    return _WORDS[word]


def _limit(found: IniFile, value: IniValue) -> int:
    if not (value.text.isascii() and value.text.isdigit()) or len(value.text) > 9:
        raise found.error(value.line, f"max-queued is {value.text!r}", "Write a whole number, 0 or more.")
    return int(value.text)


def _bands(found: IniFile, value: IniValue) -> tuple[Band, ...]:
    text = "\n".join(value.lines)
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise found.error(
            value.line + error.lineno - 1,
            f"policy is no JSON list here: {error.msg} (after {error.doc[: error.pos].strip()[-12:]!r})",
            "A list has the form [{…}, {…}], with indented lines.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise found.error(value.line, f"policy cannot be read: {error}", _BAND_EXAMPLE) from error
    if not isinstance(entries, list) or not entries:
        raise found.error(value.line, "policy is not a list of bands", f"{_BAND_EXAMPLE[:-1]} in [ ].")
    lines = _lines_of_bands(value, len(entries))
    bands = [_band(found, line, entry) for line, entry in zip(lines, entries, strict=True)]
    for index, band in enumerate(bands):
        former = [(b.min_nodes, b.max_nodes) for b in bands[:index]]
        if (band.min_nodes, band.max_nodes) in former:
            raise found.error(
                lines[index],
                f"there are two bands of {band.min_nodes}-{band.max_nodes} nodes",
                "Keep one of the two.",
            )
    return tuple(bands)


def _lines_of_bands(value: IniValue, count: int) -> list[int]:
    """Return the line on which each band begins, as far as the braces tell."""
    lines = [value.line + offset for offset, text in enumerate(value.lines) for _ in range(text.count("{"))]
    return lines if len(lines) == count else [value.line] * count


def _band(found: IniFile, line: int, entry: object) -> Band:
    if not isinstance(entry, dict) or set(entry) != set(_BAND_KEYS):
        told = ", ".join(map(str, entry)) if isinstance(entry, dict) else repr(entry)
        raise found.error(line, f"a band has the keys {', '.join(_BAND_KEYS)}, not {told}", _BAND_EXAMPLE)
    fewest, most = (_nodes(found, line, entry, key) for key in ("min-nodes", "max-nodes"))
    shortest, longest = (_minutes(found, line, entry, key) for key in ("min-time", "max-time"))
    for lower, upper, what in ((fewest, most, "nodes"), (shortest, longest, "time")):
        if lower > upper:
            raise found.error(
                line,
                f"min-{what} {entry[f'min-{what}']} is more than max-{what} {entry[f'max-{what}']}",
                "Exchange the two.",
            )
    if longest < 1:
        raise found.error(line, "max-time is less than a minute", "Write hours: 0.5 is half an hour.")
    return Band(fewest, most, shortest, longest)


def _nodes(found: IniFile, line: int, entry: Mapping[str, object], key: str) -> int:
    value = entry[key]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 10**9:
        raise found.error(line, f"{key} is {json.dumps(value)}", "Write a whole number, 1 or more.")
    return value


def _minutes(found: IniFile, line: int, entry: Mapping[str, object], key: str) -> int:
    """Read hours; parts of a minute are left away, as a queue's limit must not be passed."""
    hours = entry[key]
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 <= hours < 10**6:
        raise found.error(line, f"{key} is {json.dumps(hours)}", "Write hours, such as 0.5 or 12.")
    return int(hours * 60 + 1e-6)
