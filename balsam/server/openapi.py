"""What ``/openapi.json`` says: as the routes say themselves, with the login as the page can ask for it."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

__all__ = ["tell_of_logins"]

_HEADER = "authorization"
_SCHEMES = {
    "login": {"type": "http", "scheme": "bearer", "description": "a token of `POST /auth/password/login`"}
}


def tell_of_logins(app: FastAPI) -> None:
    """Have the description name the login of each route that needs one, in place of a header."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            for path in schema["paths"].values():
                for operation in path.values():
                    _mark(operation)
            schema.setdefault("components", {})["securitySchemes"] = _SCHEMES
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def _mark(operation: dict[str, Any]) -> None:
    told = operation.get("parameters", [])
    kept = [one for one in told if (one["in"], one["name"]) != ("header", _HEADER)]
    if len(kept) < len(told):
        operation["parameters"] = kept
        operation["security"] = [{"login": []}]
