"""The application that answers HTTP: its routes, its errors, and what it says of itself."""

import importlib.metadata

from fastapi import FastAPI

from balsam.server import explaining, health, logins, notices, operations, pages, resources, sessions
from balsam.server.errors import install_handlers
from balsam.server.guard import Guard
from balsam.server.hosts import own_names
from balsam.server.openapi import tell_of_logins
from balsam.server.settings import ServerSettings

__all__ = ["create_app"]


def create_app(settings: ServerSettings) -> FastAPI:
    """Return the application, over the active database."""
    app = FastAPI(
        title="Balsam",
        version=importlib.metadata.version("balsam"),
        description="Sites, applications, jobs, batch jobs and events of the site generation.",
        lifespan=notices.lifespan,
        docs_url=None,
        redoc_url=None,
    )
    install_handlers(app)
    logins.install(app)
    app.include_router(notices.router)
    app.include_router(health.router)
    app.include_router(explaining.router)
    resources.add_routes(app)
    operations.add_routes(app)
    app.include_router(sessions.router)
    pages.add_pages(app)
    tell_of_logins(app)
    app.add_middleware(Guard, names=own_names(settings))
    return app
