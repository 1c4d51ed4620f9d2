"""``/docs``: the interactive page of the routes, all of whose parts are here: compute sites have no internet.

The program that makes it comes with the package `fastapi-offline`.
"""

from importlib.resources import files

from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html

from balsam.exceptions import NotFoundError

__all__ = ["add_pages"]

_TYPES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)


def add_pages(app: FastAPI) -> None:
    """Add the page, and the files it is made of."""
    folder = files("fastapi_offline") / "static"

    @app.get("/docs", include_in_schema=False)
    def page(request: Request) -> Response:
        """Show the page."""
        root = request.scope.get("root_path", "")
        html = get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title="Balsam",
            swagger_js_url=f"{root}/docs/swagger-ui-bundle.js",
            swagger_css_url=f"{root}/docs/swagger-ui.css",
            swagger_favicon_url=f"{root}/docs/favicon.png",
            swagger_ui_parameters={
                "validatorUrl": None,
                "docExpansion": "list",
                "persistAuthorization": True,
            },
        )
        html.headers["Content-Security-Policy"] = _POLICY
        return html

    @app.get("/docs/{name}", include_in_schema=False)
    def part(name: str) -> Response:
        """Send one of its files."""
        if name not in _TYPES:
            raise NotFoundError(f"There is no {name!r} here.")
        headers = {"Cache-Control": "max-age=86400"}
        return Response((folder / name).read_bytes(), media_type=_TYPES[name], headers=headers)
