"""What the tests of SMTP stand on: a delivery that remembers, and dialogues played with a server."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailproto._spool_room import RoomClaim, SpoolRoom
from mailproto.content import Content
from mailproto.interfaces import IAccount, IDelivery
from mailproto.model import Address, Envelope, Outcome, Parameters, Session
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits
from mailproto.smtp.lmtp import LMTPServerFactory
from mailproto.testing import FEEDS, LOOPBACK, Dialogue, Feed, MemoryTransport
from tests.auth.exchanges import WITH_CRAM

NOW = 1_000_000_000  # Sun, 9 Sep 2001 01:46:40 +0000
TAKEN = Outcome(250, "2.1.5", "Kept")


@implementer(IDelivery)
class FakeDelivery:
    """Takes everything, unless a test says otherwise, and remembers it.

    :ivar refusals: the error to raise for an address, as it stands between angle brackets.
    :ivar outcomes: what `deliver` answers; by default `TAKEN` for everybody.
    :ivar failure: what `deliver` raises.
    :ivar waiting: what every step waits for, if it is not None.
    """

    def __init__(self) -> None:
        self.refusals: dict[str, Exception] = {}
        self.outcomes: Sequence[Outcome] | None = None
        self.failure: Exception | None = None
        self.waiting: Deferred[None] | None = None
        self.senders: list[tuple[Session, Address, Parameters]] = []
        self.delivered: list[tuple[Envelope, bytes]] = []
        self.contents: list[Content] = []

    async def sender(self, session: Session, path: Address, parameters: Parameters) -> None:
        self.senders.append((session, path, parameters))
        await self._step(path)

    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:
        await self._step(path)

    async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
        self.contents.append(content)
        if self.waiting is not None:
            await self.waiting
        if self.failure is not None:
            raise self.failure
        self.delivered.append((envelope, bytes(content)))
        return [TAKEN] * len(envelope.recipients) if self.outcomes is None else self.outcomes

    async def _step(self, path: Address) -> None:
        if self.waiting is not None:
            await self.waiting
        if error := self.refusals.get(str(path)):
            raise error


class Account:
    """Somebody who can sign in."""

    def __init__(self, name: str) -> None:
        self.name = name


@implementer(IRealm)
class Realm:
    """Gives accounts, but for those that are ``missing``, and counts who signed out."""

    def __init__(self) -> None:
        self.log_outs = 0
        self.missing: Set[str] = frozenset()

    def requestAvatar(self, name: Any, mind: Any, *interfaces: Any) -> Any:
        if name.decode() in self.missing:
            raise UnauthorizedLogin("no such account")
        return IAccount, Account(name.decode()), self._log_out

    def _log_out(self) -> None:
        self.log_outs += 1


def claim() -> RoomClaim:
    """For a spool without a server: all the room that it wants."""
    return RoomClaim(SpoolRoom(0), None)


class DialogueTestCase(SynchronousTestCase):
    """Has dialogues with new servers."""

    factory_class: type[SMTPServerFactory] = SMTPServerFactory
    peer = LOOPBACK

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.realm = Realm()
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        self.portal = Portal(self.realm, [checker])

    def connect(self, **settings: Any) -> MemoryTransport:
        """A connection whose greeting has been read; its delivery is ``self.delivery``."""
        if not isinstance(settings.get("delivery"), FakeDelivery):
            settings["delivery"] = FakeDelivery()
        self.delivery = settings["delivery"]
        settings.setdefault("limits", SMTPLimits(greeting_wait=0, failure_delay=0))
        settings.setdefault("mechanisms", WITH_CRAM)
        self.factory = self.factory_class(clock=self.clock, hostname="mx.example", **settings)
        transport = MemoryTransport(self.factory.buildProtocol(None), self.peer)
        self.assertRegex(transport.read(), rb"\A220 mx\.example [EL]S?MTP mailproto\r\n\Z")
        return transport

    def converse(self, transport: MemoryTransport, transcript: str, feed: Feed = "turns") -> None:
        """Have a dialogue over a connection that was made."""
        dialogue = Dialogue(clock=self.clock, feed=feed)
        dialogue.add(transport)
        dialogue.play(transcript)

    def assert_dialogue(
        self, transcript: str, feeds: Sequence[Feed] = FEEDS, **settings: Any
    ) -> MemoryTransport:
        """Have it each way, with a new server.  :returns: the connection of the last time."""
        for feed in feeds:
            transport = self.connect(**settings)
            self.converse(transport, transcript, feed)
        return transport


class LMTPDialogueTestCase(DialogueTestCase):
    factory_class = LMTPServerFactory
