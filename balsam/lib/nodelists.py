"""Read the ways in which batch systems write the names of several nodes."""

import re
from collections.abc import Iterable, Iterator

__all__ = ["expand_nodelist", "expand_ranges", "split_names", "unique"]

#: More nodes than any machine has: such a list is garbled.
_MAX_NODES = 1_000_000
_RANGE = re.compile(r"(\d+)(?:-(\d+))?", re.ASCII)


def expand_nodelist(text: str) -> list[str]:
    """List the nodes of a Slurm hostlist such as ``n[1-4,7],login2``, in its order and each once.

    Commas or blanks separate; a name may have several brackets, and numbers keep their leading zeros.
    Raises ValueError for a list that is empty or cannot be read.
    """
    names = unique(name for word in _split_outside_brackets(text) for name in _expand_word(word))
    if not names:
        raise ValueError(f"{text!r} names no node")
    return names


def expand_ranges(text: str) -> list[str]:
    """List the numbers of ``1001-1005,1030``, with their leading zeros; raises ValueError for others."""
    numbers: list[str] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part!r} is neither a number nor a range such as 1001-1005")
        numbers += _numbers(match[1], match[2] or match[1])
    return numbers


def split_names(text: str) -> list[str]:
    """Split names at commas, blanks and line ends, each once, in their order."""
    return unique(text.replace(",", " ").split())


def unique(names: Iterable[str]) -> list[str]:
    """Return the names in their order, each once."""
    return list(dict.fromkeys(names))


def _split_outside_brackets(text: str) -> list[str]:
    words = re.findall(r"(?:[^\s,\[\]]|\[[^\[\]]*\])+", text)
    rest = re.sub(r"(?:[^\s,\[\]]|\[[^\[\]]*\])+", "", text)
    if rest.strip(" ,\t\r\n"):
        raise ValueError(f"{text!r} has a bracket without its partner")
    return words


def _expand_word(word: str) -> Iterator[str]:
    """Write out the brackets of one name, the last of them the fastest."""
    before, bracket, rest = word.partition("[")
    if not bracket:
        yield word
        return
    ranges, _, after = rest.partition("]")
    endings = list(_expand_word(after)) if after else [""]
    numbers = expand_ranges(ranges)
    if len(numbers) * len(endings) > _MAX_NODES:
        raise ValueError(f"{word!r} names more than {_MAX_NODES} nodes")
    for number in numbers:
        for ending in endings:
            yield before + number + ending


def _numbers(first: str, last: str) -> list[str]:
    count = int(last) - int(first) + 1
    if not 0 < count <= _MAX_NODES:
        raise ValueError(f"{first}-{last} is no range of nodes")
    return [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]
