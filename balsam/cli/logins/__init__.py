"""Accounts and logins at a server: ``balsam register|login|logout|auth``."""
