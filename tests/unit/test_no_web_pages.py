"""Nothing serves requests but the REST server, which lets nobody in without a login."""

import pytest

from balsam import django_settings
from tests.unit.test_layers import imported_modules, sources

#: What serves requests, or takes them apart for pages.
WEB = ("http.server", "socketserver", "wsgiref", "aiohttp", "flask", "fastapi", "starlette", "uvicorn")
WEB_OF_DJANGO = ("django.core.handlers", "django.core.wsgi", "django.urls", "django.http", "django.views")
#: Layers whose own tests say who is let in: tests/integration/server/test_rest.py.
WITH_LOGIN = {"server"}


@pytest.mark.parametrize("source", [name for name in sources() if name.split("/")[0] not in WITH_LOGIN])
def test_nothing_serves_web_pages(source: str):
    names = set(imported_modules(source))
    assert not {name for name in names if name.startswith((*WEB, *WEB_OF_DJANGO))}


def test_django_neither_debugs_nor_has_a_secret_that_all_share():
    for name in ("DEBUG", "SECRET_KEY", "ROOT_URLCONF", "WSGI_APPLICATION", "ALLOWED_HOSTS"):
        assert not getattr(django_settings, name, None)
    assert django_settings.INSTALLED_APPS == ["balsam.core"]
