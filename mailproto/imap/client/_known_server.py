"""What a client knows of the server, and of its session there."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from mailproto.imap.client._mailbox_values import Namespace
from mailproto.imap.client._uid_set import UidSet
from mailproto.imap.client._view import MailboxView
from mailproto.imap.wire._client_limits import IMAPClientLimits
from mailproto.imap.wire._client_wire import IMAPClientWire
from mailproto.imap.wire._values import number_of

__all__ = ["KnownServer"]


class KnownServer:
    """What is known.

    :ivar capabilities: in upper case; None if the server has not told them.
    :ivar enabled: what was enabled (RFC 5161), in upper case.
    :ivar view: the selected mailbox; None if there is none.
    :ivar saved: what ``$`` stands for if the client remembers it, because the server does not; it may still
        be searched for.
    :ivar personal: prefix and delimiter of the user's own mailboxes; None if they are not known.
    :ivar names_tags: whether the server has shown that its ESEARCH responses name a command.
    """

    wire: IMAPClientWire

    def __init__(self, limits: IMAPClientLimits) -> None:
        self.limits = limits
        self.capabilities: frozenset[str] | None = None
        self.enabled: set[str] = set()
        self.view: MailboxView | None = None
        self.saved: UidSet | Deferred[UidSet] | None = None
        self.personal: Namespace | None = None
        self.names_tags = False
        self._is_signed_in = False

    def learn(self, capabilities: bytes) -> None:
        """Set what the server offers."""
        self.capabilities = frozenset(capabilities.decode("ascii", "replace").upper().split())

    def has(self, *capabilities: str) -> bool:
        """Whether the server offers one of these."""
        return self.capabilities is not None and not self.capabilities.isdisjoint(capabilities)

    def most(self, *limits: str) -> int | None:
        """The most messages of one command, if the server says so (RFC 9738).

        :param limits: ``MESSAGELIMIT`` or ``SAVELIMIT``, or both.
        """
        told = [each.partition("=") for each in self.capabilities or ()]
        numbers = [number_of(number.encode("ascii", "replace")) for name, _, number in told if name in limits]
        return min([number for number in numbers if number], default=None)

    @property
    def utf8(self) -> bool:
        """Whether names of mailboxes are in UTF-8."""
        return "UTF8=ACCEPT" in self.enabled or "IMAP4REV2" in self.enabled

    @property
    def is_signed_in(self) -> bool:
        """Whether the server has taken credentials, or needs none."""
        return self._is_signed_in

    def signed_in(self) -> None:
        """The server has taken the credentials."""
        self._is_signed_in = True
        self.wire.longest = self.limits.line

    def signed_out(self) -> None:
        """The server has forgotten the account."""
        self._is_signed_in = False
        self.wire.longest = self.limits.line_before_login
        self.enabled.clear()
        self.view = self.saved = self.personal = None
