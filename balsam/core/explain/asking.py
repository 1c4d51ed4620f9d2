"""The operation: whose job it is, and its explanation."""

from balsam.core.models import BalsamJob
from balsam.core.owners import own_sites
from balsam.core.retrying import retrying
from balsam.exceptions import NotFoundError
from balsam.schemas.explanations import Explanation

__all__ = ["explanation"]


@retrying
def explanation(caller: int | None, number: int) -> Explanation:
    """Explain a job of the caller's; raises NotFoundError when there is none of that number."""
    from balsam.core.explain.deciding import explain  # other commands need not wait for all that it imports
    from balsam.core.explain.gathering import gather

    mine = BalsamJob.objects.filter(number=number, site__in=own_sites(caller))
    found = mine.values_list("pk", flat=True).first()
    if found is None:
        raise NotFoundError(f"There is no job {number}. `balsam job ls --site all` lists yours.")
    try:
        return explain(gather(found))
    except BalsamJob.DoesNotExist:
        raise NotFoundError(f"Job {number} has been deleted.") from None
