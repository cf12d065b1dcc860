"""One of two accounts, as mirroring sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mailproto.mirroring._names import Levels
from mailproto.mirroring._sides import Side

__all__ = ["AccountSide", "Identity", "ListedMailbox"]


@dataclass(frozen=True, slots=True)
class ListedMailbox:
    """A mailbox of an account."""

    name: str
    levels: Levels
    is_subscribed: bool = False
    special_use: str | None = None
    is_virtual: bool = False


class Identity(NamedTuple):
    """By what a mailbox is known when it has another name.

    :ivar id: its permanent id (RFC 8474); "" if it has none.
    :ivar validity: its UIDVALIDITY; 0 if it has none.
    """

    id: str
    validity: int


class AccountSide(Protocol):
    """An account."""

    delimiter: str

    async def mailboxes(self) -> Sequence[ListedMailbox]:
        """Its own mailboxes that can have messages, by name.  :raises MailError: it cannot be read."""

    async def identity(self, name: str) -> Identity | None:
        """What a mailbox is; None if there is none.  :raises MailError: that is not known."""

    def name_of(self, levels: Levels) -> str:
        """The name that a mailbox has here."""

    async def create(self, name: str, special_use: str | None) -> bool:
        """Make a mailbox, with that special use if that is possible.

        :returns: whether there is a mailbox of this name now; otherwise there is one whose name is equal for
            the server, as in another case.
        :raises MailError: it is refused.
        """

    async def rename(self, old: str, new: str) -> None:
        """Rename a mailbox and its inferiors.  :raises MailError: it is refused."""

    async def delete(self, name: str) -> None:
        """Remove a mailbox with all that is in it.  :raises MailError: it is refused."""

    async def subscribe(self, name: str, wanted: bool) -> None:
        """Subscribe to a mailbox, or no more.  :raises MailError: it is refused."""

    async def side(self, name: str, *, read_only: bool) -> Side:
        """One of its mailboxes.  :raises MailError: there is none."""
