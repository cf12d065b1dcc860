"""Constant replies, rendered once."""

from __future__ import annotations

from mailproto.connection.limits import CloseReason
from mailproto.smtp.wire import render_reply as _reply

__all__ = ["closing_words"]

OK = _reply(250, "2.0.0", "OK")
RESET = _reply(250, "2.0.0", "Forgotten")
SENDER_OK = _reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = _reply(250, "2.1.5", "Recipient OK")
SEND_CONTENT = b"354 Go ahead, end with <CRLF>.<CRLF>\r\n"
CHUNK_TAKEN = _reply(250, "2.0.0", "Octets received")
CANNOT_VERIFY = _reply(252, "2.0.0", "Cannot verify, but will take mail and try")
CANNOT_EXPAND = _reply(252, "2.0.0", "Cannot say who is on that list")
START_TLS = _reply(220, "2.0.0", "Ready to start TLS")
SIGNED_IN = _reply(235, "2.7.0", "Authentication successful")

HELLO_FIRST = _reply(503, "5.5.1", "Say EHLO first")
WRONG_GREETING = _reply(500, "5.5.1", "That is not this protocol's greeting")
NESTED_MAIL = _reply(503, "5.5.1", "Sender already given")
MAIL_FIRST = _reply(503, "5.5.1", "Say MAIL first")
NO_RECIPIENTS = _reply(503, "5.5.1", "No valid recipients")
NOT_BETWEEN_CHUNKS = _reply(503, "5.5.1", "The message is coming by BDAT: go on, or say RSET")
BINARY_NEEDS_BDAT = _reply(503, "5.5.1", "A binary message comes by BDAT only")
TOO_MANY_RECIPIENTS = _reply(452, "4.5.3", "Too many recipients")
NOT_IMPLEMENTED = _reply(502, "5.5.1", "Command not implemented")
TLS_ALREADY = _reply(503, "5.5.1", "TLS is on already")
TLS_FIRST = _reply(530, "5.7.0", "Must issue a STARTTLS command first")
AUTH_FIRST = _reply(530, "5.7.0", "Authentication required")
SIGNED_IN_ALREADY = _reply(503, "5.5.1", "Already authenticated")
QUEUE_DENIED = _reply(459, "4.7.1", "You may not start the queue")
NOT_IN_TRANSACTION = _reply(503, "5.5.1", "Not during a mail transaction")
NO_PROXY = _reply(550, "5.7.0", "XCLIENT is for proxies that are known here")
EARLY_TALKER = _reply(554, "5.5.1", "You talk before you are greeted")

TOO_MANY_ERRORS = _reply(421, "4.7.0", "Too many errors, closing connection")
TOO_MANY_TRANSACTIONS = _reply(421, "4.7.0", "Too many messages on one connection, come again")

_FAREWELLS = {
    CloseReason.IDLE: ("4.4.2", "timeout, closing connection"),
    CloseReason.LOGIN: ("4.4.2", f"{CloseReason.LOGIN.value}, closing connection"),
    CloseReason.STOPPING: ("4.3.2", "shutting down, closing connection"),
    CloseReason.CROWDED: ("4.3.2", "too many connections, try again later"),
    CloseReason.REVOKED: ("4.7.0", f"{CloseReason.REVOKED.value}, closing connection"),
    CloseReason.TALKED_AHEAD: ("4.7.0", "plaintext where TLS was to begin, closing connection"),
}


def closing_words(hostname: str, reason: CloseReason) -> bytes:
    """The 421 reply with the reason for closing the connection (RFC 5321 3.8)."""
    enhanced, text = _FAREWELLS[reason]
    return _reply(421, enhanced, f"{hostname} {text}")
