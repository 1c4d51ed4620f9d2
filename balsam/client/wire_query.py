"""Queries as they are sent: in the address where they fit, else as JSON, or in parts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from balsam.schemas.resources import RESOURCES, Query

__all__ = ["body", "is_long", "params", "parts"]

#: Characters of filters; proxies take 8,000 in all.
_LONGEST_ADDRESS = 4_000


def params(query: Query) -> list[tuple[str, str]]:
    """Return a query as parts of an address."""
    found: list[tuple[str, str]] = []
    for name, value in query.filters.items():
        if isinstance(value, Mapping):
            found += [(name, f"{key}:{item}") for key, item in value.items()]
        elif isinstance(value, list | tuple | set):
            found += [(name, _param(item)) for item in value]
        else:
            found.append((name, _param(value)))
    if query.order_by:
        found.append(("ordering", query.order_by))
    if query.limit is not None:
        found.append(("limit", str(query.limit)))
    if query.offset:
        found.append(("offset", str(query.offset)))
    if query.after:
        found.append(("after", query.after))
    if not query.counted:
        found.append(("counted", "false"))
    return found


def is_long(params: Sequence[tuple[str, str]]) -> bool:
    """Say whether this is more than every server and proxy takes as an address."""
    return len(urlencode(params)) > _LONGEST_ADDRESS


def body(query: Query) -> dict[str, Any]:
    """Return a query as a JSON object."""
    values = {
        "filters": {name: _json(value) for name, value in query.filters.items()},
        "ordering": query.order_by,
        "limit": query.limit,
        "offset": query.offset,
        "after": query.after,
        "counted": query.counted,
    }
    return {name: value for name, value in values.items() if value not in (None, "")}


def parts(resource: str, query: Query) -> Iterator[Query]:
    """Divide a query that is too long for an address, by a filter of which any value will do."""
    rules = RESOURCES[resource].filters
    lists = {name: list(v) for name, v in query.filters.items() if isinstance(v, list | tuple | set)}
    divisible = [name for name in lists if rules[name].kind in ("int", "uuid") and len(lists[name]) > 1]
    if not divisible or not is_long(params(query)):
        yield query
        return
    name = max(divisible, key=lambda name: len(lists[name]))
    middle = len(lists[name]) // 2
    for half in (lists[name][:middle], lists[name][middle:]):
        yield from parts(resource, replace(query, filters={**query.filters, name: half}))


def _json(value: Any) -> Any:
    if isinstance(value, list | tuple | set):
        return [_json(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def _param(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
