"""The base of all parts of the conformance suite for stores."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from enum import Enum
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import SkipTest

from twisted.internet.defer import Deferred
from twisted.internet.task import cooperate
from zope.interface.interface import InterfaceClass

from mailproto.errors import MailError
from mailproto.interfaces import IFixedMailboxes, IRecent, IStore
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

__all__ = [
    "ALICE",
    "TEXT",
    "Offer",
    "StoreFixture",
    "deferred",
    "flag_change",
    "flags_by_uid",
    "needs",
    "new",
    "provides",
]

ALICE = "Alice@example.org"

TEXT = b"From: Bob <bob@example.org>\r\nSubject: One\r\n\r\nThe text.\r\n"
"""A small message."""

HINT_TIMEOUT = 5.0
"""Seconds within which a hint must arrive."""

E = TypeVar("E", bound=MailError)
R = TypeVar("R")


class Offer(Enum):
    """What a store need not offer; it declares what it lacks, and the tests that need it are skipped."""

    CHANGES = "IMailbox.writable is False"
    NAMES = "the account is IFixedMailboxes"


def needs(*offers: Offer | InterfaceClass) -> Callable[[Any], Any]:
    """Skip a test, or all tests of a class, for stores that do not offer something.

    :param offers: an `Offer`, or an add-on that `IAddOns.add_ons` lists if the store has it.
    """

    def decorate(subject: Any) -> Any:
        if isinstance(subject, type):
            for name, test in list(vars(subject).items()):
                if name.startswith("test_"):
                    setattr(subject, name, decorate(test))
            return subject

        @wraps(subject)
        async def run(self: StoreFixture) -> None:
            for offer in offers:
                await self.check_offered(offer)
            await subject(self)

        return run

    return decorate


class StoreFixture(TestCase):
    """Starts a store with one account; a mixin for ``twisted.trial.unittest.TestCase``."""

    def make_store(self) -> IStore:
        """A new store that is not started: the only method that a backend's tests must provide.

        It is empty, unless its mailboxes are not writable.
        """
        raise TypeError("a conformance test needs make_store")

    async def make_mailbox(self, name: str) -> None:
        """Make a mailbox in `account`; override it if only your application can (`IFixedMailboxes`)."""
        await self.check_offered(Offer.NAMES)
        await self.account.create(name)

    async def indexed(self) -> None:
        """Wait until all messages are indexed; override it if the store makes an index behind deliveries."""

    async def setUp(self) -> None:  # type: ignore[override]  # trial awaits it
        """Start the store; it is stopped after the test."""
        self.store: Any = Settled(self.make_store())
        await self.store.start()
        self.addCleanup(lambda: deferred(self.store.stop()))
        self._accounts_before = frozenset(await self.store.directory.names())
        await self.store.directory.add(ALICE, "hash")
        self.account: Any = await self.store.account(ALICE)
        self._keeps_recent = provides(IRecent, await self.account.open(INBOX))

    async def check_offered(self, offer: Offer | InterfaceClass) -> None:
        """:raises SkipTest: the store declares that it does not offer something."""
        if isinstance(offer, InterfaceClass):
            if offer not in self.store.add_ons:
                raise SkipTest(f"Not offered: {offer.__name__} is not among the store's add_ons")
        elif offer is Offer.CHANGES:
            if not (await self.account.open(INBOX)).writable:
                raise SkipTest(f"Not offered: {offer.value}")
        elif self.has_fixed_mailboxes:
            raise SkipTest(f"Not offered: {offer.value}")

    @property
    def has_fixed_mailboxes(self) -> bool:
        """Whether only the application can change the account's list of mailboxes."""
        return provides(IFixedMailboxes, self.account)

    async def inbox(self, *messages: NewMessage) -> Any:
        """The account's INBOX, with ``messages`` appended.  :raises SkipTest: it is not writable."""
        await self.check_offered(Offer.CHANGES)
        mailbox = await self.account.open(INBOX)
        if messages:
            await mailbox.append(messages)
        return mailbox

    async def opened(self, name: str) -> Any:
        """Create and open a mailbox."""
        await self.make_mailbox(name)
        return await self.account.open(name)

    async def there(self, *names: str) -> None:
        """See that mailboxes with these names exist."""
        for name in set(names).difference(await self.names()):
            await self.make_mailbox(name)

    def recent(self, messages: int) -> int:
        """The expected `MailboxStatus.recent` after some new messages: 0 if mailboxes are not `IRecent`."""
        return messages if self._keeps_recent else 0

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

    async def account_names(self) -> list[str]:
        """The names of the accounts that the test made."""
        return [name for name in await self.store.directory.names() if name not in self._accounts_before]

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
