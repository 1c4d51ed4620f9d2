"""Every route of the server, as it tells of them, called by one account for what belongs to another."""

from typing import Any

import pytest

from balsam.client.http import Http
from balsam.exceptions import BalsamError
from balsam.schemas.resources import RESOURCES
from tests.serving import log_in

#: Routes that are about the caller alone, or about nobody; each has tests of its own.
ABOUT_NOBODY = ("/auth/", "/healthz", "/notices")
#: Resource -> what one that refers to the rows of another would be made of.
RECORDS: dict[str, dict[str, Any]] = {
    "app": {"name": "Thief", "command_template": "true"},
    "job": {"workdir": "w"},
    "batch_job": {"num_nodes": 1, "wall_time_min": 5, "job_mode": "mpi", "project": "p", "queue": "q"},
}


def make_one_of_each(owner: Http) -> dict[str, int]:
    """Make a row of every resource; return their ids."""

    def made(path: str, record: dict[str, Any]) -> int:
        return int(owner.request("POST", path, json=record)["id"])

    site = made("/sites/", {"name": "theta", "path": "/sites/theta"})
    app = made("/apps/", {"site_id": site, "name": "Hello", "command_template": "true"})
    job = made("/jobs/", {"workdir": "w", "app_id": app})
    batch_job = made("/batch-jobs/", {"site_id": site, **RECORDS["batch_job"]})
    session = made("/sessions/", {"site_id": site})
    slots = {"data": {"required": True, "direction": "in", "local_path": "in.dat"}}
    owner.request("PUT", f"/sites/{site}", json={"transfer_locations": {"far": "rsync://far"}})
    moving = made("/apps/", {"site_id": site, "name": "Mv", "command_template": "true", "transfers": slots})
    made("/jobs/", {"workdir": "m", "app_id": moving, "transfers": {"data": "far:/a"}})
    transfer = owner.request("GET", "/transfers/")["results"][0]["id"]
    event = owner.request("GET", "/events/")["results"][0]["id"]
    return {
        "site": site,
        "app": app,
        "job": job,
        "batch_job": batch_job,
        "event": event,
        "session": session,
        "transfer": transfer,
    }


def everything(owner: Http) -> dict[str, Any]:
    return {name: owner.request("GET", table.path)["results"] for name, table in RESOURCES.items()}


def call(who: Http, method: str, path: str, resource: str, ids: dict[str, int]) -> Any:
    """Call a route for the row of another, as somebody would who has guessed its id."""
    number = ids[resource]
    if "{" in path:
        body = {"PUT": {}, "POST": {"max_num_jobs": 1}}.get(method.upper())
        return who.request(
            method, path.replace("{number}", str(number)), **({} if body is None else {"json": body})
        )
    refers: dict[str, dict[str, Any]] = {
        "app": {"site_id": ids["site"]},
        "job": {"app_id": ids["app"], "parent_ids": [ids["job"]]},
        "batch_job": {"site_id": ids["site"]},
        "session": {"site_id": ids["site"]},
    }
    one = {"id": number}
    sent: dict[tuple[str, str], dict[str, Any]] = {
        ("get", "/"): {"params": one},
        ("post", "/query"): {"json": {"filters": one}},
        ("get", "/counts"): {"params": {**one, "by": next(iter(RESOURCES[resource].groups), "")}},
        ("post", "/counts"): {
            "json": {"filters": one},
            "params": {"by": next(iter(RESOURCES[resource].groups), "")},
        },
        ("post", "/"): {"json": {**RECORDS.get(resource, {}), **refers.get(resource, {})}},
        ("patch", "/"): {"json": [one]},
        ("put", "/"): {"params": one, "json": {}},
        ("delete", "/"): {"params": one},
    }
    tail = "/" + path.removeprefix(RESOURCES[resource].path)
    assert (method, tail) in sent, (
        f"{method} {path} is new: say here how one account would try it on another's rows"
    )
    return who.request(method, path, **sent[method, tail])


def is_nothing(reply: Any) -> bool:
    """Say whether an answer tells of nothing and has changed nothing."""
    if isinstance(reply, dict) and "results" in reply:
        return reply["count"] == 0 and reply["results"] == []
    if isinstance(reply, dict) and "changed" in reply:
        return reply["changed"] == [] and all("There is no" in why for why in reply["refused"].values())
    return reply in ({}, {"deleted": 0, "refused": {}})


@pytest.mark.parametrize("caller", ["nobody", "bob"])
def test_rows_of_others_do_not_exist_on_any_route(alice: Http, address: str, caller: str):
    ids = make_one_of_each(alice)
    before = everything(alice)
    who = Http(address) if caller == "nobody" else log_in(address, "bob")
    who.set_patience(False)
    tried = 0
    for path, methods in alice.request("GET", "/openapi.json")["paths"].items():
        if path.startswith(ABOUT_NOBODY):
            continue
        resource = next(name for name, table in RESOURCES.items() if path.startswith(table.path))
        for method in methods:
            try:
                reply = call(who, method, path, resource, ids)
            except BalsamError as error:
                expected = {"LoginNeededError"} if caller == "nobody" else {
                    "NotFoundError", "InvalidParentsError", "UsageError"
                }  # fmt: skip
                assert type(error).__name__ in expected, f"{method} {path}: {error!r}"
            else:
                assert caller == "bob" and is_nothing(reply), f"{method} {path}: {reply}"
            tried += 1
    assert tried >= 30
    assert everything(alice) == before
