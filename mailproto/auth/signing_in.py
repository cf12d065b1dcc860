"""Signing in to a ``twisted.cred`` portal, with the log line and the delay of a failure."""

from mailproto.auth._checkers import ensure_secret
from mailproto.auth._failures import FAILURE_DELAY
from mailproto.auth._login import Login
from mailproto.auth._realm import add_ons_of
from mailproto.auth._reporting import sign_in_refused

__all__ = [
    "FAILURE_DELAY",
    "Login",
    "add_ons_of",
    "ensure_secret",
    "sign_in_refused",
]
