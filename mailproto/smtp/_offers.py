"""What a client may use: the lines of EHLO's reply, and the parameters that come with them."""

from __future__ import annotations

from dataclasses import dataclass

from mailproto.auth import MECHANISMS
from mailproto.smtp.wire import XCLIENT_ATTRIBUTES

__all__ = ["Offers"]


@dataclass(frozen=True, slots=True)
class Offers:
    """The extensions of one session, as it is now.

    :ivar max_message_size: octets, for SIZE (RFC 1870).
    """

    max_message_size: int
    smtputf8: bool
    starttls: bool
    auth: bool
    xclient: bool = False

    def lines(self) -> list[str]:
        """As EHLO and LHLO list them (RFC 5321 4.1.1.1)."""
        lines = ["PIPELINING", f"SIZE {self.max_message_size}", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING"]
        if self.smtputf8:
            lines.append("SMTPUTF8")
        if self.starttls:
            lines.append("STARTTLS")
        if self.auth:
            lines.append(f"AUTH {' '.join(MECHANISMS)}")
        if self.xclient:
            lines.append(f"XCLIENT {' '.join(XCLIENT_ATTRIBUTES)}")
        return [*lines, "HELP"]

    def mail_keywords(self) -> set[str]:
        """The parameters of MAIL that belong to what is offered."""
        keywords = {"SIZE", "BODY"}
        if self.smtputf8:
            keywords.add("SMTPUTF8")
        if self.auth:
            keywords.add("AUTH")
        return keywords
