"""Which objects: the same options on every command that lists, changes or removes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from balsam.exceptions import AmbiguousError, NotFoundError, UsageError

if TYPE_CHECKING:
    from balsam.api.models import Site

__all__ = ["job_filters", "job_selection", "key_values", "one_site", "site_filter", "site_option"]

F = TypeVar("F", bound=Callable[..., Any])

_ACTIVE_SEC = 120


def key_values(ctx: click.Context, param: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    """Read KEY=VALUE options; raises BadParameter for one without ``=``."""
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{pair!r} needs to be in the format KEY=VALUE.", ctx, param)
        found[key] = value
    return found


def site_option(function: F) -> F:
    """Add ``--site``."""
    return click.option(
        "-s",
        "--site",
        "site",
        default="",
        metavar="SITES",
        help="Names, ids or parts of paths, with commas; this, active or all.",
    )(function)


def job_selection(function: F) -> F:
    """Add the options that select jobs."""
    for option in reversed(
        (
            click.option("-i", "--id", "ids", type=int, multiple=True, help="Number of a job."),
            click.option(
                "-t",
                "--tag",
                "tags",
                multiple=True,
                metavar="KEY=VALUE",
                callback=key_values,
                help="Jobs with this tag.",
            ),
            click.option("--state", multiple=True, metavar="STATE", help="Jobs in this state."),
            click.option(
                "-ns", "--exclude-state", multiple=True, metavar="STATE", help="Jobs in no such state."
            ),
            click.option("-w", "--workdir", default="", metavar="TEXT", help="Jobs whose workdir has TEXT."),
            click.option("-a", "--app", "app", default="", help="Jobs of this application: name or id."),
        )
    ):
        function = option(function)
    return site_option(function)


def job_filters(
    *,
    ids: tuple[int, ...],
    tags: dict[str, str],
    state: tuple[str, ...],
    exclude_state: tuple[str, ...],
    workdir: str,
    app: str,
    site: str,
) -> dict[str, Any]:
    """Return the filters these options mean."""
    filters: dict[str, Any] = dict(site_filter(site))
    if ids:
        filters["id"] = list(ids)
    if tags:
        filters["tags"] = tags
    if state:
        filters["state"] = list(state)
    if exclude_state:
        filters["state__ne"] = list(exclude_state)
    if workdir:
        filters["workdir__contains"] = workdir
    if app:
        filters["app_id"] = app_ids(app, filters.get("site_id"))
    return filters


def app_ids(app: str, site_ids: list[int] | None) -> list[int]:
    """Return the ids of the applications of that name, or the id given; raises NotFoundError."""
    from balsam.api.models import App

    if app.isdecimal():
        return [int(app)]
    key = "class_path" if "." in app else "name"
    filters: dict[str, Any] = {key: app, **({} if site_ids is None else {"site_id": site_ids})}
    found = [found.id for found in App.objects.filter(**filters)]
    if not found:
        raise NotFoundError(f"No application is named {app!r} there. `balsam app ls --site all` lists them.")
    return found


def site_filter(selector: str) -> dict[str, list[int]]:
    """Return the filter that a ``--site`` selector means; {} for all sites.

    Without one: the site one stands in, else all.
    """
    words = [word.strip() for word in selector.split(",") if word.strip()]
    if "all" in words:
        return {}
    if not words:
        here = _here()
        return {} if here is None else {"site_id": [here]}
    found: list[int] = []
    for word in words:
        found += [site.id for site in _sites_named(word)]
    return {"site_id": sorted(set(found))}


def one_site(selector: str) -> "Site":
    """Return the one site a selector means; without one, that one stands in.

    Raises UsageError outside of a site, NotFoundError, AmbiguousError with the candidates.
    """
    from balsam.api.models import Site

    if not selector:
        here = _here()
        sites = list(Site.objects.all()) if here is None else []
        if here is None and len(sites) != 1:
            raise UsageError(
                "Which site? Give --site NAME, or stand in its directory. `balsam site ls` lists."
            )
        return sites[0] if here is None else Site.objects.get(id=here)
    found = _sites_named(selector)
    if len(found) > 1:
        shown = ", ".join(f"{site.name} ({site.id}, {site.path})" for site in found)
        raise AmbiguousError(f"Several sites match {selector!r}: {shown}. Give the full name or the id.")
    return found[0]


def _here() -> int | None:
    from balsam.config.site_dir import find_site_dir

    site = find_site_dir()
    return None if site is None else site.site_id


def _sites_named(word: str) -> "list[Site]":
    """Find sites: by exact name, else by id, else by a part of the path; raises NotFoundError for none."""
    from datetime import UTC, datetime, timedelta

    from balsam.api.models import Site

    if word == "this":
        here = _here()
        if here is None:
            raise UsageError("This is not inside a site. Give the name of one: --site NAME.")
        return [Site.objects.get(id=here)]
    if word == "active":
        since = datetime.now(UTC) - timedelta(seconds=_ACTIVE_SEC)
        return list(Site.objects.filter(last_refresh_after=since))
    by_id: list[dict[str, Any]] = [{"id": int(word)}] if word.isdecimal() else []
    for filters in [{"name": word}, *by_id, {"path": word}]:
        if found := list(Site.objects.filter(**filters)):
            return found
    raise NotFoundError(f"No site is named {word!r}, and no path of one contains it. `balsam site ls` lists.")
