"""Who may send anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from mailproto._arguments import wrong_value
from mailproto.connection.proxy import Networks
from mailproto.model import Session

__all__ = ["Permission", "check_relay_from"]

REMEMBERED: Final = 1000
"""The most clients' addresses of which it is remembered whether they are in the networks."""


def check_relay_from(name: str, networks: Networks) -> None:
    """Check the networks whose clients may send anywhere.

    :raises ValueError: Unix sockets are among them: their clients look like those whose address a proxy does
        not know (`Session.peer`).
    """
    if "" in networks:
        hint = "let clients of Unix sockets use submission"
        raise wrong_value(name, "unix", "networks and addresses", hint)


class Permission:
    """Accounts may send anywhere, and clients of some networks.

    :raises TypeError, ValueError: they are no networks.
    """

    def __init__(self, name: str, networks: Networks | Iterable[str]) -> None:
        allowed = Networks.of(name, networks)
        check_relay_from(name, allowed)
        # To read an address takes longer than all else here, and a client sends many messages.
        self._is_allowed = lru_cache(REMEMBERED)(allowed.__contains__)

    def may_send_anywhere(self, session: Session) -> bool:
        """Whether this client may send to other domains."""
        if session.protocol == "LMTP":  # for final delivery (RFC 2033 1)
            return False
        return session.account is not None or self._is_allowed(session.peer)
