"""Requests of any kind, made from what the server says it takes: each is answered, and none by a failure."""

import itertools
import json
import os
from contextlib import suppress
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from balsam.client.http import Http
from balsam.core.invariants import violations
from tests.integration.server.test_owners import make_one_of_each

#: A request that ends the login under test, or makes the test wait.
LEFT_OUT = {("POST", "/auth/logout"), ("DELETE", "/auth/tokens/{token_id}")}
#: Requests of each kind, and twice the odd values in each place: the next has others.
EXAMPLES = int(os.environ.get("BALSAM_TEST_EXAMPLES", "2"))
#: Values that break programs, for every place in which a value may stand.
ODD = [
    *("", " ", "\0", "\ud800", "%", "_", "'", "🌲" * 99, "a/../b", "..", "NaN", "1e999", "0x10", "null"),
    *(0, -1, 1, 2**31, 2**63, 2**64, 10**40, 0.5, float("inf"), True, False, None, [], {}, [None], {"a": {}}),
    *("9999-12-31T23:59:59+14:00", "0001-01-01T00:00:00-14:00", "2026-01-01", "infinity", "RUNNING", "a:b"),
    *([[]], {"": ""}, {"\0": "\0"}, ["\0"], [2**64], [{"id": 1}], "x" * 70_000),
]
METHODS = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]


@pytest.fixture
def rows(alice: Http) -> dict[str, int]:
    """Ids of a row of each resource."""
    return make_one_of_each(alice)


def quick(function: Any) -> Any:
    """Have hypothesis try so often."""
    return settings(
        max_examples=EXAMPLES,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(function)


def test_no_request_makes_the_server_fail(alice: Http, rows: dict[str, int]):
    schema = schemathesis.openapi.from_url(f"{alice.address}/openapi.json")
    failures: list[str] = []
    with httpx.Client(base_url=alice.address, headers=login_of(alice), timeout=60) as client:
        for found in schema.get_all_operations():
            operation = found.ok()
            if (operation.method.upper(), operation.path) in LEFT_OUT:
                continue
            for mode in METHODS:

                @quick
                @given(
                    case=operation.as_strategy(generation_mode=mode),
                    number=st.sampled_from([*rows.values(), None]),
                )
                def run(case: Any, number: int | None) -> None:
                    send(client, case, number, failures)

                spoils = mode is schemathesis.GenerationMode.NEGATIVE
                with suppress(*[Unsatisfiable] * spoils):  # a route that takes nothing has nothing to spoil
                    run()
    assert failures == []
    assert violations() == []


def login_of(who: Http) -> dict[str, str]:
    return {"Authorization": f"Bearer {who.credentials.token()}"}


def send(client: httpx.Client, case: Any, number: int | None, failures: list[str]) -> None:
    """Send a case, for a row that exists where ``number`` is given."""
    if number is not None and "number" in case.path_parameters:
        case.path_parameters["number"] = number
    for name in ("wait_sec", "timeout_sec"):
        if case.query and name in case.query:
            case.query[name] = 0
    answer = case.call(base_url=str(client.base_url), headers=dict(client.headers), timeout=60)
    if answer.status_code >= 500:
        failures.append(
            f"{case.method} {case.formatted_path} {case.query} {case.body!r:.500}: {answer.text:.500}"
        )


def test_odd_values_in_every_place_are_answered(alice: Http, rows: dict[str, int]):
    paths = alice.request("GET", "/openapi.json")["paths"]
    turns = itertools.cycle(ODD)
    failures: list[str] = []
    with httpx.Client(base_url=alice.address, headers=login_of(alice), timeout=60) as client:
        for path, methods in paths.items():
            resource = next((name for name in rows if path.startswith(f"/{name.replace('_', '-')}s/")), None)
            for method, operation in sorted(methods.items(), key=lambda item: item[0] == "delete"):
                if resource is None:
                    continue
                for place in places(operation):
                    for odd in itertools.islice(turns, EXAMPLES // 2):
                        concrete = path.replace("{number}", str(rows[resource]))
                        tell_failure(client, method, concrete, place, odd, failures)
    assert failures == []
    assert violations() == []


def places(operation: dict[str, Any]) -> list[tuple[str, str]]:
    """Name every parameter of the address and every field of the body."""
    found = [("query", one["name"]) for one in operation.get("parameters", []) if one["in"] == "query"]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content:
        schema = content["schema"]
        schema = schema.get("oneOf", [schema])[0]
        kind = "list" if schema.get("type") == "array" else "body"
        found += [(kind, name) for name in schema.get("items", schema).get("properties", {})]
        found += [("whole", "")]
    return found


def tell_failure(
    client: httpx.Client, method: str, path: str, place: tuple[str, str], odd: Any, failures: list[str]
) -> None:
    kind, name = place
    try:
        body = json.dumps(
            {"query": {}, "body": {name: odd}, "list": [{"id": 1, name: odd}], "whole": odd}[kind]
        )
        text = odd if isinstance(odd, str) else json.dumps(odd)
        params = {name: text[:3000]} if kind == "query" else {"id": 1} if method == "put" else {}
        answer = client.request(method, path, params=params, content=body.encode())
    except (UnicodeEncodeError, httpx.InvalidURL):
        return  # it cannot even be sent
    if answer.status_code >= 500:
        failures.append(f"{method} {path} {place} {odd!r:.80}: {answer.text:.300}")
