"""Read a JSON file that a user edits; what is wrong with it is told with the line."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from balsam.exceptions import ConfigError

__all__ = ["JsonObject", "read_json_object"]


@dataclass(frozen=True, slots=True)
class JsonObject:
    """What a file holds, and its text for finding lines."""

    path: Path
    text: str
    values: dict[str, Any]

    def error(self, key: str, what: str) -> ConfigError:
        """Make the error that tells what is wrong with a key."""
        lines = [number for number, line in enumerate(self.text.splitlines(), 1) if _names_key(line, key)]
        return _error(self.path, lines[-1] if lines else 1, what)


def read_json_object(path: Path) -> JsonObject:
    """Read a file that holds one JSON object; raises ConfigError when it cannot be read or holds none."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"Cannot read {path}: {error.strerror}. "
            "Correct its permissions, or move it away to go on with defaults."
        ) from error
    try:
        text = content.decode("utf-8-sig")
        values = json.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _error(path, line, f"byte {content[error.start]:#04x} is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise _error(path, error.lineno, f"it is not JSON at column {error.colno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or as many brackets
        raise _error(path, 1, f"it is no sensible JSON: {error}") from error
    if not isinstance(values, dict):
        raise _error(path, 1, "it is not a JSON object, which has the form {...}")
    return JsonObject(path, text, values)


def _names_key(line: str, key: str) -> bool:
    return re.search(rf"{re.escape(json.dumps(key))}\s*:", line) is not None


def _error(path: Path, line: int, what: str) -> ConfigError:
    return ConfigError(
        f"{path}, line {line}: {what}. Correct that line; Balsam never writes this file, "
        "and goes on with its defaults when you move it away."
    )
