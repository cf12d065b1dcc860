"""Where fetched messages are kept; and how a mailbox of a store keeps them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from mailproto._in_thread import in_thread
from mailproto.awaiting import settle
from mailproto.errors import OverQuota
from mailproto.fetching._values import Incoming, digest_of
from mailproto.interfaces import IMailbox
from mailproto.model import NewMessage, Part
from mailproto.typing import ReactorTime

__all__ = ["Intend", "MailboxTarget", "Target"]

Intend: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Notes a plan durably."""

_LOOKED_AT: Final = 1000
"""Messages whose sizes are read at a time."""


class Target(ABC):
    """Keeps messages so that a crash at any instant neither loses nor doubles one.

    Before it changes anything, it gives a plan to be noted.  After a crash it gets the plan back, looks, and
    says which messages of the plan it has.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name for people, which is the same each time: ``maildir:/home/bob/Mail``."""

    @abstractmethod
    async def open(self, reactor: ReactorTime) -> None:
        """Make what is missing.

        :raises OSError, MailError: it cannot be used.
        """

    @abstractmethod
    async def keep(self, reactor: ReactorTime, messages: Sequence[Incoming], intend: Intend) -> None:
        """Keep messages: they are on disk when this has ended.

        :param intend: is awaited, with the plan, before anything is changed.
        :raises OSError, MailError: none of them is kept, or that is found out from the plan.
        """

    @abstractmethod
    async def recover(self, reactor: ReactorTime, digests: Sequence[bytes], plan: bytes) -> Sequence[bool]:
        """Find out which messages of a plan are there, and remove or complete those that are there in part.

        :param digests: of the messages.
        """


class MailboxTarget(Target):
    """An `IMailbox`: the plan is its modseq, and what has come since is compared by size and digest."""

    def __init__(self, mailbox: IMailbox) -> None:
        self._mailbox = mailbox

    @property
    def name(self) -> str:
        """``mailbox:NAME``."""
        return f"mailbox:{self._mailbox.name}"

    async def open(self, reactor: ReactorTime) -> None:
        """The mailbox is there."""

    async def keep(self, reactor: ReactorTime, messages: Sequence[Incoming], intend: Intend) -> None:
        """Append all in one call; if there is no room for all, one after the other."""
        mailbox = self._mailbox
        status = await settle(mailbox.status())
        sizes = [len(message.content) for message in messages]
        plan = {"validity": status.uid_validity, "modseq": status.modseq, "sizes": sizes}
        await intend(json.dumps(plan).encode())
        new = [NewMessage(each.content, each.flags, each.date, each.zone) for each in messages]
        try:
            await settle(mailbox.append(new))
        except OverQuota:
            if len(new) == 1:
                raise
            for each in new:
                await settle(mailbox.append([each]))

    async def recover(self, reactor: ReactorTime, digests: Sequence[bytes], plan: bytes) -> Sequence[bool]:
        """Look at what has come since the plan was made."""
        mailbox, noted = self._mailbox, json.loads(plan)
        if mailbox.uid_validity != noted["validity"]:
            return [False] * len(digests)
        uids = (await settle(mailbox.changes_since(noted["modseq"]))).changed.uids
        sizes = set(noted["sizes"])
        found: Counter[bytes] = Counter()
        for start in range(0, len(uids), _LOOKED_AT):
            some = await settle(mailbox.read(uids[start : start + _LOOKED_AT], Part.SIZE))
            for uid in [info.uid for info in some if info.size in sizes]:
                for info in await settle(mailbox.read([uid], Part.CONTENT)):
                    if info.content is not None:
                        found[await in_thread(reactor, digest_of, info.content)] += 1
        there = []
        for digest in digests:
            there.append(found[digest] > 0)
            found[digest] -= 1
        return there
