"""What the wire answers to octets that are not SMTP."""

from __future__ import annotations

from mailproto.errors import WireError

__all__ = ["SMTPSyntaxError"]


class SMTPSyntaxError(WireError):
    """A command that cannot be understood, with the reply that says so (RFC 5321 4.2.4).

    :ivar code: 500, 501, 502, 553 or 555; 421 when the connection is to be closed.
    :ivar enhanced: RFC 3463 code of the same class.
    :ivar text: for the client, printable ASCII, nothing of what it sent.
    :ivar verb: of the command, in upper case; "" if it is not known.
    """

    def __init__(self, code: int, enhanced: str, text: str, *, fatal: bool = False) -> None:
        super().__init__(f"{code} {enhanced} {text}")
        self.code = code
        self.enhanced = enhanced
        self.text = text
        self.fatal = fatal
        self.verb = ""
