"""Where mail for an address goes."""

from __future__ import annotations

from typing import TypeAlias

from mailproto.awaiting import settle
from mailproto.errors import MailError, RelayDenied
from mailproto.interfaces import IPlacing
from mailproto.model import Address, Placement
from mailproto.relay._routes import Routes

__all__ = ["Place", "Places"]

Place: TypeAlias = tuple[Placement, ...] | str | MailError
"""Mailboxes here, a destination, or the reason why there is neither."""


class Places:
    """Knows the mailboxes here, and the destinations elsewhere; nothing of aliases."""

    def __init__(self, placing: IPlacing, routes: Routes) -> None:
        self._placing = placing
        self._routes = routes

    async def mailboxes(self, path: Address) -> tuple[Placement, ...]:
        """The mailboxes of an address.

        :raises RelayDenied: the address belongs to another server.
        :raises MailError: it belongs here, and cannot get mail.
        """
        return tuple(await settle(self._placing.place(path)))

    def destination(self, path: Address) -> str | None:
        """The destination of mail for other servers; None if it is not sent."""
        if not path.domain or self._routes.next_hop(path.domain) is None:
            return None
        return self._routes.key(path.domain)

    async def find(self, path: Address) -> Place:
        """Mailboxes or a destination."""
        try:
            return await self.mailboxes(path)
        except RelayDenied as error:
            return self.destination(path) or error
        except MailError as error:  # such as an account that was deleted since RCPT
            return error

    async def is_ours(self, path: Address) -> bool:
        """Whether an address belongs here, in use or not."""
        try:
            await self.mailboxes(path)
        except RelayDenied:
            return False
        except MailError:
            return True
        return True
