"""Outcomes that the client decides itself, because there is no reply of the server."""

from __future__ import annotations

from mailproto.client.errors import ClientError, NotOffered, ProtocolViolation
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


def outcome_of(error: ClientError) -> Outcome:
    """The outcome of recipients to which nothing could be sent because of ``error``, with RFC 3463's code.

    If the server refused something, the codes are the server's.  Otherwise they mean a temporary
    failure.
    """
    reply = error.reply
    if isinstance(reply, Reply) and reply.code >= 400 and not isinstance(error, ProtocolViolation):
        outcome = reply.outcome()
        said = str(error)
        return outcome if said == reply.summary else Outcome(outcome.code, outcome.enhanced, said)
    if isinstance(error, NotOffered):
        return Outcome(error.code, error.enhanced, error.text)
    return Outcome(error.code, error.enhanced, str(error))
