"""The account table: people who reach the database over a server."""

from django.db import models
from django.db.models.functions import Now


class Account(models.Model):
    """One person with a login. What has no account belongs to the owner of the database."""

    username = models.CharField(max_length=100, unique=True)
    #: Hashed; '' for one that signs in elsewhere.
    password_hash = models.TextField(default="", db_default="")
    created = models.DateTimeField(editable=False, db_default=Now())

    def __str__(self) -> str:
        return self.username
