"""Which jobs: one grammar for every command that lists, explains, changes, waits for or removes them."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from balsam.cli.selection import app_ids, key_values, long_site_option, site_filter
from balsam.exceptions import AmbiguousError, NotFoundError, UsageError

if TYPE_CHECKING:
    from balsam.api.models import Job
    from balsam.api.queries import Query

__all__ = [
    "filters_of",
    "job_selection",
    "names_jobs",
    "narrows",
    "numbers_of",
    "portions",
    "require_jobs",
    "selection_in",
    "some_jobs",
]

F = TypeVar("F", bound=Callable[..., Any])
Filters = dict[str, Any]

#: Shorter beginnings of an id are typing errors.
_LEAST_PREFIX = 4
#: Numbers in one request.
_IN_ONE = 500
_OPTIONS = (
    click.argument("words", nargs=-1, metavar="[ID]..."),
    click.option("-i", "--id", "ids", multiple=True, metavar="ID", help="Number, or beginning of the id."),
    click.option(
        "-t", "--tag", "tags", multiple=True, metavar="KEY=VALUE", callback=key_values,
        help="Jobs with this tag.",
    ),
    click.option("-s", "--state", multiple=True, metavar="STATE", help="Jobs in this state."),
    click.option("-ns", "--exclude-state", multiple=True, metavar="STATE", help="Jobs in no such state."),
    click.option("-w", "--workdir", default="", metavar="TEXT", help="Jobs whose workdir has TEXT."),
    click.option("-a", "--app", "app", default="", help="Jobs of this application: name or id."),
)  # fmt: skip


_NAMES = ("words", "ids", "tags", "state", "exclude_state", "workdir", "app", "site")
_LIST = "`balsam job ls --site all` lists yours."


def job_selection(function: F) -> F:
    """Add the options that select jobs; they arrive as keywords for `filters_of`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return long_site_option(function)


def selection_in(given: dict[str, Any]) -> dict[str, Any]:
    """Take the keywords of the selection out of those of a command."""
    return {name: given.pop(name) for name in _NAMES}


def narrows(selection: dict[str, Any]) -> bool:
    """Say whether a selection is of fewer than all jobs of sites."""
    return any(value for name, value in selection.items() if name != "site")


def names_jobs(selection: dict[str, Any]) -> bool:
    """Say whether a selection names each job by itself."""
    return bool(selection["ids"] or selection["words"])


def filters_of(
    *,
    words: tuple[str, ...],
    ids: tuple[str, ...],
    tags: dict[str, str],
    state: tuple[str, ...],
    exclude_state: tuple[str, ...],
    workdir: str,
    app: str,
    site: str,
) -> Filters:
    """Return the filters that these options mean; jobs that are named are looked for at all sites.

    Raises UsageError for an impossible value, NotFoundError for a site, application or beginning of an id
    that is not there.
    """
    named = (*words, *ids)
    filters: Filters = {} if named and not site else dict(site_filter(site))
    if named:
        filters["id"] = numbers_of(named)
    if tags:
        filters["tags"] = tags
    if state:
        filters["state"] = [one.upper() for one in state]
    if exclude_state:
        filters["state__ne"] = [one.upper() for one in exclude_state]
    if workdir:
        filters["workdir__contains"] = workdir
    if app:
        filters["app_id"] = app_ids(app, filters.get("site_id"))
    return filters


def numbers_of(words: tuple[str, ...]) -> list[int]:
    """Return the numbers of jobs named by number or by the beginning of their id.

    A number need not be that of a job. Raises NotFoundError, AmbiguousError for a beginning, UsageError for
    what can be neither.
    """
    return [_number(word) for word in words]


def _number(word: str) -> int:
    if re.fullmatch(r"[0-9]{1,18}", word):
        return int(word)
    if not re.fullmatch(r"[0-9a-fA-F-]{4,36}", word):
        raise UsageError(
            f"{word!r} is neither the number of a job nor {_LEAST_PREFIX} or more digits of its id."
        )
    from balsam.api.models import Job

    found = list(Job.objects.filter(uuid__startswith=word)[:4])
    if not found:
        raise NotFoundError(f"No job has an id that starts with {word!r}. {_LIST}")
    if len(found) > 1:
        shown = ", ".join(f"{job.id} ({job.workdir})" for job in found[:3]) + ", …" * (len(found) > 3)
        raise AmbiguousError(f"Several jobs have an id that starts with {word!r}: {shown}. Give the number.")
    return found[0].id


def portions(numbers: list[int]) -> list[list[int]]:
    """Divide many numbers: in a request, they are part of the address."""
    return [numbers[at : at + _IN_ONE] for at in range(0, len(numbers), _IN_ONE)]


def some_jobs(selection: dict[str, Any]) -> "Query[Job]":
    """Return the query of the jobs selected, in order."""
    from balsam.api.models import Job

    return Job.objects.filter(**filters_of(**selection)).order_by("id")


def require_jobs(selection: dict[str, Any], limit: int | None = None, *, is_all: bool = False) -> "list[Job]":
    """Return the jobs selected, at most ``limit`` of them; ``is_all`` lets nothing be selected.

    Raises UsageError where nothing was selected, NotFoundError for a named job that is not there and where
    there is none at all.
    """
    if not (narrows(selection) or selection["site"] or is_all):
        raise UsageError(
            "Say which jobs: an ID, --tag, --state, --exclude-state, --app, --workdir or --site."
        )
    query = some_jobs(selection)
    found = list(query if limit is None else query[:limit])
    named = numbers_of((*selection["words"], *selection["ids"]))
    if missing := sorted(set(named[:limit]) - {job.id for job in found}):
        numbers = ", ".join(map(str, missing))
        others = " in that state, or with those tags" if len(found) or _narrows_more(selection) else ""
        raise NotFoundError(f"There is no job {numbers}{others}. {_LIST}")
    if not found:
        raise NotFoundError(f"No job matches. {_LIST}")
    return found


def _narrows_more(selection: dict[str, Any]) -> bool:
    return narrows({name: value for name, value in selection.items() if name not in ("words", "ids")})
