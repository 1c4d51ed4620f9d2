"""Which sites and applications: the same options on every command that lists, changes or removes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from balsam.exceptions import AmbiguousError, NotFoundError, UsageError

if TYPE_CHECKING:
    from balsam.api.models import Site

__all__ = ["app_ids", "key_values", "long_site_option", "one_site", "site_filter", "site_option"]

F = TypeVar("F", bound=Callable[..., Any])

_ACTIVE_SEC = 120


def key_values(ctx: click.Context, param: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    """Read KEY=VALUE options; raises BadParameter for one without ``=``, or two of one key."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{pair!r} needs to be in the format KEY=VALUE.", ctx, param)
        if found.setdefault(key, value) != value:
            raise click.BadParameter(f"{key!r} is given twice: {found[key]!r} and {value!r}.", ctx, param)
    return found


def site_option(function: F) -> F:
    """Add ``--site``, short ``-s``."""
    return _add_site(function, "-s")


def long_site_option(function: F) -> F:
    """Add ``--site`` where ``-s`` means something else."""
    return _add_site(function)


def _add_site(function: F, *short: str) -> F:
    return click.option(
        *short,
        "--site",
        "site",
        default="",
        metavar="SITES",
        help="Names, ids or parts of paths, with commas; this, active or all.",
    )(function)


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
                "Which site? Give --site NAME, or stand in its directory. "
                f"There are: {', '.join(map(_shown, sites)) or 'none'}."
            )
        return sites[0] if here is None else Site.objects.get(id=here)
    found = _sites_named(selector)
    if not found:
        raise NotFoundError(f"No site is {selector}. `balsam site ls` lists them.")
    if len(found) > 1:
        shown = ", ".join(map(_shown, found))
        raise AmbiguousError(f"Several sites match {selector!r}: {shown}. Give the full name or the id.")
    return found[0]


def _shown(site: "Site") -> str:
    return f"{site.name} ({site.id}, {site.path})"


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
