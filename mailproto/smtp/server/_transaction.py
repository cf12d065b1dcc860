"""One mail transaction while it is put together (RFC 5321 3.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailproto.model import Address, Envelope, Parameters, Recipient, Session

__all__ = ["Transaction"]


@dataclass(slots=True)
class Transaction:
    """What MAIL began and RCPTs add to.

    :ivar utf8: whether the client declared SMTPUTF8 (RFC 6531 3.4).
    """

    sender: Address
    parameters: Parameters
    utf8: bool
    recipients: list[Recipient] = field(default_factory=list)

    @property
    def is_binary(self) -> bool:
        """Whether the content was declared to be of any octets (RFC 3030 3)."""
        return (self.parameters.get("BODY") or "").upper() == "BINARYMIME"

    @property
    def priority(self) -> str:
        """As it was declared, or "" (RFC 6710)."""
        return self.parameters.get("MT-PRIORITY") or ""

    def envelope(self, id: str, session: Session) -> Envelope:
        """The finished transaction."""
        return Envelope(id, self.sender, tuple(self.recipients), session, self.parameters)
