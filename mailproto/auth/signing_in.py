"""Signing in to a ``twisted.cred`` portal, with the log line and the delay of a failure."""

from mailproto.auth._checkers import FAILURE_DELAY, ensure_secret
from mailproto.auth._login import Login, login, proxy_login
from mailproto.auth._realm import add_ons_of

__all__ = [
    "FAILURE_DELAY",
    "Login",
    "add_ons_of",
    "ensure_secret",
    "login",
    "proxy_login",
]
