"""SASL-IR (RFC 4959): AUTHENTICATE with an initial response."""

from __future__ import annotations

from collections.abc import Iterable

from mailproto.imap.server._extension import Extension
from mailproto.imap.server._session import Session

__all__ = ["EXTENSION"]


def _announce(session: Session) -> Iterable[str]:
    offers = session.account is None and session.sasl.mechanisms(session.channel)
    return ("SASL-IR",) if offers else ()


EXTENSION = Extension("SASL-IR", announce=_announce)
