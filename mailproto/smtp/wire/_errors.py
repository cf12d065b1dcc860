"""The error for octets that are not SMTP."""

from __future__ import annotations

from mailproto.errors import WireError

__all__ = ["SMTPSyntaxError"]


class SMTPSyntaxError(WireError):
    """A command that is not valid, with the reply (RFC 5321 4.2.4).

    :ivar code: 500, 501, 502, 553 or 555; 421 if the connection must be closed.
    :ivar enhanced: RFC 3463 code of the same class.
    :ivar text: for the client, in printable ASCII; it shows nothing of what the client sent.
    :ivar verb: the command's verb in upper case; "" if it is unknown.
    """

    def __init__(self, code: int, enhanced: str, text: str, *, fatal: bool = False) -> None:
        super().__init__(f"{code} {enhanced} {text}")
        self.code = code
        self.enhanced = enhanced
        self.text = text
        self.fatal = fatal
        self.verb = ""
