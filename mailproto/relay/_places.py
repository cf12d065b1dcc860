"""Where mail for an address goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from mailproto.accounts import account_key
from mailproto.awaiting import settle
from mailproto.errors import MailError, OverQuota, RelayDenied
from mailproto.interfaces import IPlacing
from mailproto.model import Address, Placement
from mailproto.relay._routes import Routes

__all__ = ["Place", "Places", "without_full"]

Place: TypeAlias = tuple[Placement, ...] | str | MailError
"""Mailboxes here, a destination, or the reason why there is neither."""


TRUST: Final = 1.0
"""Seconds for which an address that belonged to another server is not looked up again: a new account for it
gets its first mail that much later."""

MOST_ELSEWHERE: Final = 1000
"""The most recipients of which that is remembered."""


MOST_DOMAINS: Final = 1000
"""The most domains whose destination is remembered, because a domain has many spellings."""


class Places:
    """Knows the mailboxes here, and the destinations elsewhere; nothing of aliases.

    :param clock: gives seconds.
    """

    def __init__(self, placing: IPlacing, routes: Routes, clock: Callable[[], float]) -> None:
        self._placing = placing
        self._clock = clock
        self._elsewhere: dict[Address, float] = {}  # until when that is known

        def destination(domain: str) -> str | None:
            return routes.key(domain) if domain and routes.next_hop(domain) is not None else None

        self._destination = lru_cache(MOST_DOMAINS)(destination)

    async def mailboxes(self, path: Address) -> tuple[Placement, ...]:
        """The mailboxes of an address.

        :raises RelayDenied: the address belongs to another server.
        :raises MailError: it belongs here, and cannot get mail.
        """
        return tuple(await settle(self._placing.place(path)))

    def destination(self, path: Address) -> str | None:
        """The destination of mail for other servers; None if it is not sent."""
        return self._destination(path.domain)

    def known_elsewhere(self, path: Address) -> str | None:
        """The destination of an address that was found to belong to another server a moment ago; or None."""
        return self._destination(path.domain) if self._elsewhere.get(path, 0.0) > self._clock() else None

    def note_elsewhere(self, path: Address) -> None:
        """An address was just found to belong to another server: `find` looks up no mailbox then."""
        if len(self._elsewhere) >= MOST_ELSEWHERE:
            del self._elsewhere[next(iter(self._elsewhere))]
        self._elsewhere[path] = self._clock() + TRUST

    async def find(self, path: Address) -> Place:
        """Mailboxes or a destination."""
        if known := self.known_elsewhere(path):
            return known
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


def without_full(places: Sequence[Place], error: OverQuota) -> list[Place]:
    """The places of a message's recipients, with the error for those in an account that has no room.

    :raises OverQuota: none is left, or it is not known whose account that is.
    """
    full = account_key(error.account) if error.account else ""
    left: list[Place] = [
        error
        if isinstance(place, tuple) and any(account_key(each.account) == full for each in place)
        else place
        for place in places
    ]
    if left == list(places) or all(isinstance(place, MailError) for place in left):
        raise error
    return left
