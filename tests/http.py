"""Requests of tests: each alone, without cookies, and patient with a busy machine."""

from functools import partial

import httpx

TIMEOUT_SEC = 60.0

get = partial(httpx.get, timeout=TIMEOUT_SEC)
post = partial(httpx.post, timeout=TIMEOUT_SEC)
delete = partial(httpx.delete, timeout=TIMEOUT_SEC)
request = partial(httpx.request, timeout=TIMEOUT_SEC)
