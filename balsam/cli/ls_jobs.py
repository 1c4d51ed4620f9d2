"""The job listings: table, history, tree, counts, and everything."""

from typing import TYPE_CHECKING

import click

from balsam.cli.display import Column, display
from balsam.cli.ls_request import Request, basenames, show_left_out, show_nothing_found

if TYPE_CHECKING:
    from balsam.core.listings import JobFilter

_CELLS = {"application": basenames}


def show_jobs(request: Request) -> None:
    """Show jobs in the way asked for; the first of history, tree, by-states and verbose counts."""
    if request.history:
        show_history(request)
    elif request.tree:
        show_tree(request)
    elif request.by_states:
        show_counts(request)
    elif request.verbose:
        show_whole_jobs(request)
    else:
        show_table(request)


def show_table(request: Request) -> None:
    """Show a line for each job."""
    from balsam.core.listings import JOB_FIELDS, count_text, list_jobs

    rows, left_out = list_jobs(job_filter(request), request.extra_fields, request.limit)
    if not rows and show_nothing_found(request, "No jobs found matching the query."):
        return
    names = dict.fromkeys((*JOB_FIELDS, *request.extra_fields))
    display(rows, [Column(name, _CELLS.get(name, str)) for name in names], request.output)
    show_left_out(request, count_text(left_out), "jobs")


def show_whole_jobs(request: Request) -> None:
    """Show every attribute of each job."""
    from balsam.core.listings import count_text, list_whole_jobs, row_of

    jobs, left_out = list_whole_jobs(job_filter(request), request.limit)
    if not jobs and show_nothing_found(request, "No jobs found matching the query."):
        return
    if request.is_for_people:
        for job in jobs:
            click.echo(job)
    else:
        rows = [row_of(job) for job in jobs]
        display(rows, [Column(name) for name in (rows[0] if rows else {"job_id": None})], request.output)
    show_left_out(request, count_text(left_out), "jobs")


def show_history(request: Request) -> None:
    """Show the events of each job."""
    from balsam.core.listings import EVENT_FIELDS, count_text, event_rows, history_text, list_history

    found, left_out = list_history(job_filter(request), request.limit)
    if not found and show_nothing_found(request, "No jobs found matching the query."):
        return
    if request.is_for_people:
        for job, events in found:
            title = f"Job {job.name} [{job.job_id}]"
            click.echo(f"{title}\n{'-' * len(title)}\n{history_text(job, events)}\n")
    else:
        rows = [row for job, events in found for row in event_rows(job, events)]
        display(rows, [Column(name) for name in EVENT_FIELDS], request.output)
    show_left_out(request, count_text(left_out), "jobs")


def show_counts(request: Request) -> None:
    """Show how many jobs are in each state."""
    from balsam.core.listings import count_by_state

    counts = count_by_state(job_filter(request))
    if not counts and show_nothing_found(request, "No jobs found matching the query."):
        return
    if request.is_for_people:
        for state, count in counts.items():
            click.echo(f"{state:>16}  {count}")
    else:
        rows = [{"state": state, "jobs": count} for state, count in counts.items()]
        display(rows, [Column("state"), Column("jobs")], request.output)


def show_tree(request: Request) -> None:
    """Show jobs below the jobs they depend on, each once."""
    from balsam.core.job_tree import list_tree
    from balsam.core.listings import count_text

    lines, left_out = list_tree(job_filter(request), request.limit)
    if not lines and show_nothing_found(request, "No jobs found matching the query."):
        return
    if request.is_for_people:
        for line in lines:
            label = f"{line.job.name:>10} {line.job.cute_id}"
            click.echo(f"{'|' * line.depth} {' ' * 5 * line.depth} {label}")
    else:
        rows = [
            {"job_id": line.job.job_id, "name": line.job.name, "state": line.job.state, "depth": line.depth}
            for line in lines
        ]
        display(rows, [Column(name) for name in ("job_id", "name", "state", "depth")], request.output)
    show_left_out(request, count_text(left_out), "jobs")


def job_filter(request: Request) -> "JobFilter":
    """Return the conditions on jobs in a request."""
    from balsam.core.listings import JobFilter

    return JobFilter(
        name="" if request.is_exact else request.name,
        job_id=request.row_id,
        state=request.state,
        workflow=request.workflow,
        is_exact_workflow=request.is_exact,
    )
