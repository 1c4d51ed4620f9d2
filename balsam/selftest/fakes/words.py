"""Read the words of a command as the real ones do: exact flags, values apart or attached, and times."""

import re
from collections.abc import Mapping, Sequence

__all__ = ["BadWords", "Options", "directives", "minutes_of", "parse", "pick"]

#: Flag -> the name it is kept under, and whether a value follows.
Spec = Mapping[str, tuple[str, bool]]


class BadWords(Exception):
    """A command does not know a flag, or cannot read a value."""


class Options(dict[str, list[str]]):
    """The values of each option that was given, in their order; '' for a flag without one."""

    def last(self, name: str, default: str = "") -> str:
        """Return the value that counts."""
        return self[name][-1] if self.get(name) else default


def parse(argv: Sequence[str], spec: Spec) -> tuple[Options, list[str]]:
    """Return options, and the words after them; raises BadWords, with the flag, for one that is not known."""
    options, words = Options(), list(argv)
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        if not word.startswith("--") and word not in spec and set(word[1:]) <= _letters(spec):
            words[:0] = [f"-{letter}" for letter in word[1:]]
            continue
        flag, value = _split(word, spec)
        name, takes_value = spec[flag]
        if takes_value and value is None:
            if not words:
                raise BadWords(f"option requires an argument -- '{flag.lstrip('-')}'")
            value = words.pop(0)
        options.setdefault(name, []).append(value or "")
    return options, words


def _letters(spec: Spec) -> set[str]:
    """Return the letters that may stand together, as in ``-nX``."""
    return {flag[1] for flag, (_, takes_value) in spec.items() if len(flag) == 2 and not takes_value}


def _split(word: str, spec: Spec) -> tuple[str, str | None]:
    """Return the flag of a word, and the value attached to it."""
    flag, equals, value = word.partition("=")
    if flag in spec and (not equals or flag.startswith("--")):
        if equals and not spec[flag][1]:
            raise BadWords(f"option '{flag}' doesn't allow an argument")
        return flag, value if equals else None
    if word[:2] in spec and not word.startswith("--") and spec[word[:2]][1]:
        return word[:2], word[2:]
    raise BadWords(f"unrecognized option '{word}'")


def directives(script: str, sentinel: str) -> list[str]:
    """Return the words of the lines ``#SENTINEL ...`` above a script's first command."""
    words: list[str] = []
    try:
        with open(script, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                if line.startswith(sentinel + " "):
                    words += line.removeprefix(sentinel).split(" #")[0].split()
                elif line.strip() and not line.startswith("#"):
                    break
    except OSError:
        return []
    return words


def minutes_of(text: str, pattern: str, units: Sequence[float]) -> int:
    """Return the whole minutes, rounded up, of a time whose groups count as many minutes as ``units`` say."""
    match = re.fullmatch(pattern, text)
    if match is None:
        raise BadWords(f"invalid time {text!r}")
    total = sum(int(part or 0) * unit for part, unit in zip(match.groups(), units, strict=True))
    return -int(-total // 1)


def pick(fields: Mapping[str, str], names: Sequence[str]) -> list[str]:
    """Return the fields asked for; raises BadWords for one that is not known."""
    for name in names:
        if name not in fields:
            raise BadWords(f"Invalid field requested: {name!r}")
    return [fields[name] for name in names]
