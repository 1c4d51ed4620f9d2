"""Read an ini file that a user edits, and remember on which line everything stands.

The grammar is that of Python's configparser: ``[section]``, ``key = value`` or ``key: value``, values that go
on over indented lines, and comments: lines that begin with ``#`` or ``;``. Keys are the same in either case.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from balsam.exceptions import ConfigError

__all__ = ["IniFile", "IniSection", "IniValue", "parse_ini"]

_SECTION = re.compile(r"\[(?P<name>[^]]+)\]\s*([#;].*)?")
_ENTRY = re.compile(r"(?P<key>[^:=]+?)\s*[:=]\s*(?P<value>.*)")


@dataclass(slots=True)
class IniValue:
    """A value: its lines, and the number of the first of them; lines of comments in it are empty."""

    line: int
    lines: list[str]

    @property
    def text(self) -> str:
        """The value, without blanks around it."""
        return "\n".join(self.lines).strip()


@dataclass(slots=True)
class IniSection:
    """A section and the line of its name; its keys are in lower case."""

    name: str
    line: int
    values: dict[str, IniValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IniFile:
    """Sections by name, in the order of the file."""

    path: Path
    sections: Mapping[str, IniSection]

    def error(self, line: int, what: str, advice: str) -> ConfigError:
        """Make the error that tells what is wrong on a line, and what to write instead."""
        return ConfigError(f"{self.path}, line {line}: {what}. {advice}")


def parse_ini(path: Path, text: str) -> IniFile:
    """Read the text of the file ``path``; raises ConfigError that names the line."""
    sections: dict[str, IniSection] = {}
    found = IniFile(path, sections)
    section: IniSection | None = None
    value: IniValue | None = None
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            if value is not None:
                value.lines.append("")
        elif raw[0].isspace() and value is not None:
            value.lines.append(line)
        elif line.startswith("["):
            section, value = _section(found, number, line), None
            sections[section.name] = section
        else:
            value = _value(found, section, number, line)
    return found


def _section(found: IniFile, number: int, line: str) -> IniSection:
    match = _SECTION.fullmatch(line)
    if match is None:
        raise found.error(number, f"{line!r} is no section", "Write the name of a queue as [name].")
    name = match["name"].strip()
    if name in found.sections:
        raise found.error(
            number,
            f"[{name}] is there already, on line {found.sections[name].line}",
            "Make one section of the two.",
        )
    return IniSection(name, number)


def _value(found: IniFile, section: IniSection | None, number: int, line: str) -> IniValue:
    match = _ENTRY.fullmatch(line)
    if match is None:
        raise found.error(
            number, f"{line!r} is neither a section nor a value", "Write [queue], or key = value."
        )
    if section is None:
        raise found.error(number, f"{line!r} is in no section", "Put [queue] above it.")
    key = match["key"].lower()
    if key in section.values:
        raise found.error(
            number,
            f"{key} is set already, on line {section.values[key].line}",
            "Keep one of the two lines.",
        )
    section.values[key] = IniValue(number, [match["value"]])
    return section.values[key]
