"""The resources of the site generation over the tables: list, make, change and remove what a caller owns.

The caller is the number of an account, or None for the owner of the database; what belongs to others does not
exist for them.
"""

from balsam.core.resources.operations import count_by, create, delete_where, list_page, update, update_where
from balsam.core.resources.sessions import acquire, tick

__all__ = ["acquire", "count_by", "create", "delete_where", "list_page", "tick", "update", "update_where"]
