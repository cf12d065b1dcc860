"""Outcomes that the client decides itself, because there is no reply of the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mailproto.client.errors import (
    AuthenticationUnavailable,
    ClientError,
    ConnectFailed,
    ConnectionLost,
    ProtocolViolation,
    QueueTimeout,
    ServerTimeout,
    ServerUntrusted,
    ServiceClosing,
    TLSFailed,
    TLSUnavailable,
)
from mailproto.model import Outcome
from mailproto.smtp.wire import Reply

__all__ = ["SESSION_FULL", "UNCERTAIN", "outcome_of"]


class _Uncertain(Outcome):
    """Never equal to an outcome made from a server's reply, even with the same text."""

    __slots__ = ()


UNCERTAIN = _Uncertain(
    451, "4.4.2", "Connection lost before the message was answered: it may have been delivered"
)
"""The whole message was sent, and no reply came: sending it again may deliver it twice."""

SESSION_FULL = Outcome(451, "4.5.0", "The server takes no more messages on this connection")
"""Not sent over this connection; another connection may send it (RFC 9422 4.1 MAILMAX)."""

_CODES: Final[Mapping[type[ClientError], tuple[int, str]]] = {
    ConnectFailed: (451, "4.4.1"),
    QueueTimeout: (451, "4.4.7"),
    ConnectionLost: (451, "4.4.2"),
    ServerTimeout: (451, "4.4.2"),
    ServiceClosing: (421, "4.4.2"),
    ProtocolViolation: (451, "4.5.0"),
    ServerUntrusted: (451, "4.7.0"),
    TLSFailed: (451, "4.7.5"),
    TLSUnavailable: (451, "4.7.4"),
    AuthenticationUnavailable: (451, "4.7.4"),
}


def outcome_of(error: ClientError) -> Outcome:
    """The outcome of recipients to which nothing could be sent because of ``error``, with RFC 3463's code.

    If the server refused something, the codes are the server's.  Otherwise they mean a temporary
    failure.
    """
    reply = error.reply
    if isinstance(reply, Reply) and reply.code >= 400 and not isinstance(error, ProtocolViolation):
        outcome = reply.outcome()
        return outcome if error.text == reply.summary else Outcome(outcome.code, outcome.enhanced, error.text)
    kinds = (kind for kind in type(error).__mro__ if kind in _CODES)
    code, enhanced = _CODES[kind] if (kind := next(kinds, None)) is not None else (451, "4.4.0")
    return Outcome(code, enhanced, error.text)
