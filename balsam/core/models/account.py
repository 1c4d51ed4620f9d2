"""People who reach the database over a server, and their logins."""

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


class Identity(models.Model):
    """Who an account is to a provider of logins."""

    account = models.ForeignKey(Account, models.CASCADE)
    issuer = models.TextField()
    subject = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="identity_is_one_account")]

    def __str__(self) -> str:
        return f"{self.subject} of {self.issuer}"


class Login(models.Model):
    """What a program, or a browser, may do for an account until it expires; ended, its tokens end with it."""

    account = models.ForeignKey(Account, models.CASCADE)
    label = models.TextField(default="", db_default="")
    #: Separated by blanks; see `balsam.schemas.accounts.SCOPES`.
    scopes = models.TextField(default="", db_default="")
    #: The one site that it is for; None: all of the account.
    site = models.ForeignKey("Site", models.CASCADE, null=True)
    created = models.DateTimeField(editable=False, db_default=Now())
    expires = models.DateTimeField()
    last_used = models.DateTimeField(null=True)
    #: How often its refresh token was replaced, and when a token of the last time was first seen again.
    generation = models.IntegerField(default=0, db_default=0)
    confirmed = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"login {self.pk} of {self.account_id} ({self.label})"


class Token(models.Model):
    """A secret of a login: what a client sends instead of a password. Only its digest is kept."""

    login = models.ForeignKey(Login, models.CASCADE)
    digest = models.CharField(max_length=64, unique=True)
    #: ``access`` is sent with requests, ``refresh`` is exchanged for both, ``browser`` is in a cookie.
    kind = models.CharField(max_length=10, default="access", db_default="access")
    generation = models.IntegerField(default=0, db_default=0)
    created = models.DateTimeField(editable=False, db_default=Now())
    expires = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind} token {self.pk} of login {self.login_id}"


class DeviceLogin(models.Model):
    """A login that waits for somebody to approve it in a browser (RFC 8628)."""

    digest = models.CharField(max_length=64, unique=True)
    user_code = models.CharField(max_length=9, unique=True)
    client_id = models.TextField()
    scopes = models.TextField()
    #: What asks, and from where.
    label = models.TextField()
    address = models.TextField()
    created = models.DateTimeField(editable=False, db_default=Now())
    expires = models.DateTimeField()
    polled = models.DateTimeField(null=True)
    interval_sec = models.IntegerField()
    #: Who decided, and what.
    account = models.ForeignKey(Account, models.CASCADE, null=True)
    is_approved = models.BooleanField(null=True)

    def __str__(self) -> str:
        return f"device login {self.pk} ({self.label})"


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
