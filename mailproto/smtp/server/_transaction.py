"""A mail transaction before its content comes (RFC 5321 3.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailproto.model import Address, Envelope, Parameters, Recipient, Session

__all__ = ["Transaction"]


@dataclass(slots=True)
class Transaction:
    """The sender and the recipients of a transaction.

    :ivar utf8: whether the client declared SMTPUTF8 (RFC 6531 3.4).
    """

    sender: Address
    parameters: Parameters
    utf8: bool
    recipients: list[Recipient] = field(default_factory=list)

    @property
    def is_binary(self) -> bool:
        """Whether the client declared binary content (RFC 3030 3)."""
        return (self.parameters.get("BODY") or "").upper() == "BINARYMIME"

    @property
    def priority(self) -> str:
        """The declared priority, or "" (RFC 6710)."""
        return self.parameters.get("MT-PRIORITY") or ""

    def envelope(self, id: str, session: Session) -> Envelope:
        """The envelope of the finished transaction."""
        return Envelope(id, self.sender, tuple(self.recipients), session, self.parameters)
