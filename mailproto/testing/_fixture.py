"""The base of all parts of the conformance suite."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import cooperate
from zope.interface.interface import InterfaceClass

from mailproto.errors import MailError
from mailproto.interfaces import IRecent, IStore
from mailproto.model import INBOX, FlagChange, FlagOperation, NewMessage
from mailproto.testing._settled import Settled

if TYPE_CHECKING:
    import unittest

    class TestCase(unittest.TestCase):
        """The methods of trial's TestCase that are used here, with types."""

        def mktemp(self) -> str:
            """A new path at which nothing exists."""

        def flushLoggedErrors(self, *types: type[Exception]) -> list[Any]:
            """Return the logged errors, and keep them from failing the test."""
else:
    TestCase = object

__all__ = ["ALICE", "TEXT", "StoreFixture", "deferred", "flag_change", "flags_by_uid", "new", "provides"]

ALICE = "Alice@example.org"

TEXT = b"From: Bob <bob@example.org>\r\nSubject: One\r\n\r\nThe text.\r\n"
"""A small message."""

HINT_TIMEOUT = 5.0
"""Seconds within which a hint must arrive."""

E = TypeVar("E", bound=MailError)
R = TypeVar("R")


class StoreFixture(TestCase):
    """Starts a store with one account; a mixin for ``twisted.trial.unittest.TestCase``."""

    def make_store(self) -> IStore:
        """A new, empty store that is not started: the only method that a backend's tests must provide."""
        raise TypeError("a conformance test needs make_store")

    async def setUp(self) -> None:  # type: ignore[override]  # trial awaits it
        """Start the store; it is stopped after the test."""
        self.store: Any = Settled(self.make_store())
        await self.store.start()
        self.addCleanup(lambda: deferred(self.store.stop()))
        await self.store.directory.add(ALICE, "hash")
        self.account: Any = await self.store.account(ALICE)

    async def inbox(self, *messages: NewMessage) -> Any:
        """The account's INBOX, with ``messages`` appended."""
        mailbox = await self.account.open(INBOX)
        if messages:
            await mailbox.append(messages)
        return mailbox

    async def opened(self, name: str) -> Any:
        """Create and open a mailbox."""
        await self.account.create(name)
        return await self.account.open(name)

    def recent(self, messages: int) -> int:
        """The expected `MailboxStatus.recent` after some new messages: 0 if mailboxes are not `IRecent`."""
        return messages if IRecent in self.store.add_ons else 0

    async def assert_raises(self, error: type[E], wrong: Awaitable[Any]) -> E:
        """Await ``wrong``, and check that it raises ``error``."""
        try:
            result = await wrong
        except error as raised:
            return raised
        raise self.failureException(f"{error.__name__} not raised: {result!r}")

    async def eventually(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition holds, for at most `HINT_TIMEOUT` seconds."""
        end = time.monotonic() + HINT_TIMEOUT

        def turns() -> Iterator[None]:
            while not holds():
                if time.monotonic() > end:
                    raise self.failureException(f"did not happen within {HINT_TIMEOUT} seconds")
                yield

        await cooperate(turns()).whenDone()

    async def names(self) -> list[str]:
        """The names in the account's list."""
        return [entry.name for entry in await self.account.list()]

    async def uids(self, mailbox: Any) -> list[int]:
        """The UIDs of the mailbox's messages."""
        return [message.uid for message in (await mailbox.changes_since(0)).changed]


def provides(contract: InterfaceClass, value: Any) -> bool:
    """Whether ``value`` provides an optional contract."""
    return bool(contract.providedBy(value))


def deferred(result: Awaitable[R]) -> Deferred[R]:
    """Make any kind of awaitable a Deferred."""

    async def wait() -> R:
        return await result

    return Deferred.fromCoroutine(wait())


def new(*flags: str, content: bytes = TEXT, date: int | None = None) -> NewMessage:
    """A message to be appended."""
    return NewMessage(content, frozenset(flags), date)


def flag_change(sign: str, *flags: str) -> FlagChange:
    """A STORE: ``sign`` is ``""``, ``"+"`` or ``"-"``."""
    return FlagChange(FlagOperation(sign + "FLAGS"), frozenset(flags))


def flags_by_uid(messages: Iterable[Any]) -> dict[int, set[str]]:
    """The flags of each of some `MessageFlags`."""
    return {message.uid: set(message.flags) for message in messages}
