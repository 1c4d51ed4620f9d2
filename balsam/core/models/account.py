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


class Token(models.Model):
    """A login: what a client sends instead of a password. Only its digest is kept."""

    account = models.ForeignKey(Account, models.CASCADE)
    digest = models.CharField(max_length=64, unique=True)
    label = models.TextField(default="", db_default="")
    created = models.DateTimeField(editable=False, db_default=Now())
    expires = models.DateTimeField()
    last_used = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"token {self.pk} of {self.account_id} ({self.label})"


class SentRequest(models.Model):
    """A request to make objects that was carried out, with its reply: sent again, it makes nothing new."""

    account = models.ForeignKey(Account, models.CASCADE, null=True)
    key = models.CharField(max_length=64)
    created = models.DateTimeField(editable=False, db_default=Now())
    reply = models.JSONField(default=list, db_default=[])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], name="request_sent_once"),
            models.UniqueConstraint(
                fields=["key"], condition=models.Q(account=None), name="own_request_sent_once"
            ),
        ]
        indexes = [models.Index(fields=["created"], name="sent_requests_by_age")]

    def __str__(self) -> str:
        return f"request {self.key} of {self.account_id}"
