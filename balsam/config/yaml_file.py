"""Read a YAML file that users edit, and keep on which line each key is."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from balsam.exceptions import ConfigError

__all__ = ["InvalidSettings", "YamlFile", "read_yaml"]

Place = tuple[str, ...]


class InvalidSettings(ConfigError, ValueError):
    """A settings file is wrong."""


class MissingSettings(InvalidSettings, FileNotFoundError):
    """There is no settings file."""


@dataclass(frozen=True, slots=True)
class YamlFile:
    """What a file says, and the line of each key: ``("scheduler", "sync_period")``."""

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[Place, int]

    def error(self, place: Place, what: str, advice: str = "") -> InvalidSettings:
        """Make the error for a key, or for the nearest one above it that has a line."""
        while place and place not in self.lines:
            place = place[:-1]
        line = self.lines.get(place, 1)
        return InvalidSettings(f"{self.path}, line {line}: {what}. {advice}".strip())

    def unknown(self, place: Place, known: Iterable[str]) -> InvalidSettings:
        """Make the error for a key that is not known."""
        names = list(known)
        near = difflib.get_close_matches(place[-1], names, n=1)
        advice = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names)}."
        return self.error(place, f"{'.'.join(place)} is no setting", advice)


def read_yaml(path: Path) -> YamlFile:
    """Read a file that holds one mapping; raises InvalidSettings with the line that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingSettings(f"There is no {path}. `balsam site init` makes one.") from error
    except (OSError, ValueError) as error:
        raise InvalidSettings(f"Cannot read {path}: {error}. `balsam site init` makes one.") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidSettings(f"{path}, line {line}: it is no YAML here: {error.problem}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidSettings(f"{path}: it cannot be read: {error}.") from error
    found = YamlFile(path, {} if values is None else values, {})
    if node is not None and not isinstance(node, yaml.MappingNode):
        raise found.error((), "it is no list of settings of the form `name: value`")
    lines: dict[Place, int] = {}
    if node is not None:
        _note_lines(found, node, (), lines)
    return YamlFile(path, found.values, lines)


def _note_lines(found: YamlFile, node: yaml.MappingNode, place: Place, lines: dict[Place, int]) -> None:
    for key, value in node.value:
        here = (*place, str(key.value))
        line = key.start_mark.line + 1
        if here in lines:
            raise InvalidSettings(
                f"{found.path}, line {line}: {'.'.join(here)} is there twice, also on line {lines[here]}."
            )
        lines[here] = line
        if isinstance(value, yaml.MappingNode):
            _note_lines(found, value, here, lines)
