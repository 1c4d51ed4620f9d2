"""Environment variables as users write them: a mapping, ``VAR=VALUE`` words, or the colon form ``A=1:B=2``."""

from collections.abc import Iterable, Mapping

from balsam.exceptions import UsageError

__all__ = ["parse_environ"]


def parse_environ(value: str | Mapping[str, object] | Iterable[str] | None) -> dict[str, str]:
    """Return variables and values as text.

    In the colon form a part without ``=`` belongs to the value before it, so ``PATH=/a:/b:N=1`` means what it
    seems to; a value that looks like ``:NAME=`` inside needs the mapping form. ``{}`` as text is empty.
    Raises UsageError for a name that no environment can hold.
    """
    if value is None or value in ("", "{}"):
        return {}
    if isinstance(value, Mapping):
        pairs = [(str(name), str(text)) for name, text in value.items()]
    else:
        words = _colon_words(value) if isinstance(value, str) else list(value)
        pairs = [_pair(word) for word in words]
    for name, text in pairs:
        if not name or "=" in name or "\0" in name + text:
            raise UsageError(f"{name!r} cannot be an environment variable. Write VAR=VALUE, or give a mapping.")
    return dict(pairs)


def _colon_words(text: str) -> list[str]:
    words: list[str] = []
    for part in text.split(":"):
        if "=" in part or not words:
            words.append(part)
        else:
            words[-1] += ":" + part
    return [word for word in words if word]


def _pair(word: str) -> tuple[str, str]:
    name, sign, text = word.strip().partition("=")
    if not sign:
        raise UsageError(f"{word!r} is no environment setting. Write VAR=VALUE; several are joined by colons.")
    return name, text
