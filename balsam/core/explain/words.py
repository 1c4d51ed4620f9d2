"""Small pieces of sentences."""

from collections.abc import Mapping

__all__ = ["capital", "counted", "tags_text"]


def capital(text: str) -> str:
    """Begin a sentence with the text."""
    return text[:1].upper() + text[1:]


def counted(number: int, what: str) -> str:
    """Write a number of things."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def tags_text(tags: Mapping[str, str]) -> str:
    """Write tags as people give them."""
    return ", ".join(f"{key}={value}" for key, value in tags.items()) or "no tags"
