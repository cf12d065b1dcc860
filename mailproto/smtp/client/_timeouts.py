"""The timeouts of SMTP clients."""

from __future__ import annotations

from dataclasses import dataclass

from mailproto._arguments import check_type
from mailproto.client import ClientTimeouts

__all__ = ["SMTPTimeouts", "checked_timeouts"]


@dataclass(frozen=True, slots=True)
class SMTPTimeouts(ClientTimeouts):
    """`ClientTimeouts` and those of a transaction, in seconds (RFC 5321 4.5.3.2): shorter ones lose mail.

    Of `ClientTimeouts`, ``greeting`` is that of 4.5.3.2.1, and ``command`` is for EHLO, STARTTLS,
    RSET, NOOP and the like.

    :ivar mail: for the reply to MAIL (4.5.3.2.2).
    :ivar recipient: for the reply to RCPT (4.5.3.2.3).
    :ivar data: for the reply to DATA (4.5.3.2.4).
    :ivar block: for the server to read more of the content, and for the reply to each BDAT but the
        last (4.5.3.2.5).
    :ivar final: for the reply to the end of data (4.5.3.2.6).  A shorter timeout gives up messages
        that were delivered, so that they are sent twice.
    """

    mail: float = 300
    recipient: float = 300
    data: float = 120
    block: float = 180
    final: float = 600


def checked_timeouts(timeouts: SMTPTimeouts | None) -> SMTPTimeouts:
    """The value of a parameter; None for the defaults.

    :raises TypeError: it is no `SMTPTimeouts`.
    """
    if timeouts is None:
        return SMTPTimeouts()
    hint = "write SMTPTimeouts(...)"
    check_type("timeouts", timeouts, SMTPTimeouts, "an SMTPTimeouts or None", hint)
    return timeouts
