"""What the interactive page and `openapi.json` say of the resources, derived from their table."""

from collections.abc import Callable
from typing import Any

from balsam.schemas.fields import Field, Resource
from balsam.states import STATES

__all__ = ["MAX_PAGE", "body", "filters", "listing", "paging"]

#: Objects in one page, if no limit is asked for, and at most.
MAX_PAGE = 100_000
_JSON_TYPES = {
    "int": "integer", "float": "number", "flag": "boolean", "json": "object", "texts": "object",
    "list": "array", "ids": "array",
}  # fmt: skip
_FORMATS = {"time": "date-time", "uuid": "uuid"}


def filters(resource: Resource) -> list[dict[str, Any]]:
    """Describe the filters as parts of an address."""
    return [
        {"in": "query", "name": name, "schema": _schema(rule.kind, many=rule.many)}
        for name, rule in resource.filters.items()
    ]


def paging(resource: Resource) -> list[dict[str, Any]]:
    """Describe order and page as parts of an address."""
    return [{"in": "query", "name": name, "schema": schema} for name, schema in _paging(resource).items()]


def _paging(resource: Resource) -> dict[str, dict[str, Any]]:
    orders = [sign + order for order in resource.orders for sign in ("", "-")]
    return {
        "ordering": {"type": "string", "enum": orders},
        "limit": {"type": "integer", "minimum": 0, "maximum": MAX_PAGE},
        "offset": {"type": "integer", "minimum": 0},
        "after": {"type": "string", "description": "`next` of the page before"},
        "counted": {"type": "boolean", "default": True, "description": "false: do not count them all"},
    }


def listing(resource: Resource) -> dict[str, Any]:
    """Describe filters, order and page as a JSON object, for lists that are too long for an address."""
    rules = {name: _schema(rule.kind, many=rule.many) for name, rule in resource.filters.items()}
    properties: dict[str, Any] = {"filters": {"type": "object", "properties": rules}, **_paging(resource)}
    return _json_body({"type": "object", "properties": properties, "additionalProperties": False})


def body(resource: Resource, *, creating: bool, many: bool) -> dict[str, Any]:
    """Describe what objects are made of, or changed in."""
    may: Callable[[Field], bool] = (lambda f: f.create) if creating else (lambda f: f.update)
    fields = {name: field for name, field in resource.fields.items() if may(field)}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _field_schema(field) for name, field in fields.items()},
        "additionalProperties": False,
    }
    if creating:
        schema["required"] = [name for name, field in fields.items() if field.required]
    if many and creating:
        return _json_body({"oneOf": [schema, {"type": "array", "items": schema}]})
    if many:
        schema = {
            **schema,
            "properties": {"id": {"type": "integer"}, **schema["properties"]},
            "required": ["id"],
        }
        return _json_body({"type": "array", "items": schema})
    return _json_body(schema)


def _json_body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"schema": schema}}, "required": True}}


def _field_schema(field: Field) -> dict[str, Any]:
    schema = _schema(field.kind)
    if field.minimum is not None:
        schema["minimum"] = field.minimum
    if field.max_length is not None:
        schema["maxLength"] = field.max_length
    if field.choices:
        schema["enum"] = list(field.choices)
    if field.default is not None:
        schema["default"] = field.default
    return schema


def _schema(kind: str, *, many: bool = False) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": _JSON_TYPES.get(kind, "string")}
    if schema["type"] == "array":
        schema["items"] = {"type": "integer"} if kind == "ids" else {}
    if kind in _FORMATS:
        schema["format"] = _FORMATS[kind]
    if kind == "state":
        schema["enum"] = sorted(STATES)
    if kind == "tag":
        schema["pattern"] = ":"
    return {"type": "array", "items": schema} if many else schema
