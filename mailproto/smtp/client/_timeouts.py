"""How long an SMTP client waits."""

from __future__ import annotations

from dataclasses import dataclass

from mailproto.client import ClientTimeouts

__all__ = ["SMTPTimeouts"]


@dataclass(frozen=True, slots=True)
class SMTPTimeouts(ClientTimeouts):
    """`ClientTimeouts` and those of a transaction, as RFC 5321 4.5.3.2 has them: shorter ones lose mail.

    Those of all clients are the greeting's (4.5.3.2.1), and ``command`` for EHLO, STARTTLS, RSET,
    NOOP and the like.

    :ivar mail: seconds for the answer to MAIL (4.5.3.2.2).
    :ivar recipient: for the answer to RCPT (4.5.3.2.3).
    :ivar data: for the answer to DATA (4.5.3.2.4).
    :ivar block: for the server to read more of the content, and for the answer to a BDAT that
        is not the last (4.5.3.2.5).
    :ivar final: for the answer to the end of data (4.5.3.2.6): with a shorter one the message
        is sent twice.
    """

    mail: float = 300
    recipient: float = 300
    data: float = 120
    block: float = 180
    final: float = 600
