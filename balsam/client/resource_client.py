"""Calls on the resources of the site generation, by whoever is logged in: on one's own database its owner."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from balsam.schemas.acquisition import AcquireRequest
from balsam.schemas.explanations import Explanation
from balsam.schemas.fields import Record
from balsam.schemas.resources import DeleteReply, Page, Query, UpdateReply

if TYPE_CHECKING:
    from balsam.client.transport import Transport

__all__ = ["ResourceClient"]

#: On one's own database; a server finds out by itself who calls.
_OWNER = None
#: Objects that are read at once.
_PAGE = 5_000


class ResourceClient:
    """Sites, applications, jobs, batch jobs and events by the name of the resource; see `RESOURCES`."""

    transport: "Transport"

    def list_resources(self, resource: str, query: Query) -> Page:
        """Return the objects that all filters hold for."""
        reply: Page = self.transport.call("resources.list", _OWNER, resource, query)
        return reply

    def read_resources(self, resource: str, query: Query) -> Iterator[Record]:
        """Yield the objects that all filters hold for, page by page."""
        left = query.limit
        while left != 0:
            size = _PAGE if left is None else min(_PAGE, left)
            page = self.list_resources(resource, replace(query, limit=size, counted=False))
            yield from page.results
            if not page.next:
                return
            left = None if left is None else left - len(page.results)
            query = replace(query, after=page.next, offset=0)

    def count_resources(self, resource: str, query: Query, column: str) -> dict[str, int]:
        """Count the objects by one of their fields."""
        reply: dict[str, int] = self.transport.call("resources.count_by", _OWNER, resource, query, column)
        return reply

    def create_resources(self, resource: str, records: Sequence[Record]) -> list[Record]:
        """Make objects, all or none, and return them in order."""
        reply: list[Record] = self.transport.call("resources.create", _OWNER, resource, records)
        return reply

    def update_resources(self, resource: str, patches: Mapping[int, Record]) -> UpdateReply:
        """Change objects, each for itself."""
        reply: UpdateReply = self.transport.call("resources.update", _OWNER, resource, patches)
        return reply

    def update_resources_where(self, resource: str, query: Query, patch: Record) -> UpdateReply:
        """Change all objects that the filters hold for."""
        reply: UpdateReply = self.transport.call("resources.update_where", _OWNER, resource, query, patch)
        return reply

    def explain_job(self, number: int) -> Explanation:
        """Say why a job is where it is; raises NotFoundError."""
        reply: Explanation = self.transport.call("resources.explain_job", _OWNER, number)
        return reply

    def delete_resources(self, resource: str, query: Query) -> DeleteReply:
        """Delete all objects that the filters hold for, with what is theirs; jobs that are held stay."""
        reply: DeleteReply = self.transport.call("resources.delete_where", _OWNER, resource, query)
        return reply

    def acquire_jobs(self, session_id: int, request: AcquireRequest) -> list[Record]:
        """Take jobs for a session, and renew its lease; raises NotFoundError when it has ended."""
        reply: list[Record] = self.transport.call("resources.acquire", _OWNER, session_id, request)
        return reply

    def tick(self, session_id: int) -> None:
        """Renew the lease of a session; raises NotFoundError when it has ended."""
        self.transport.call("resources.tick", _OWNER, session_id)
