"""Each connection has a context of its own (`contextvars`), for all that is done for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar, copy_context
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.client.base import ClientConnection
from mailproto.connection import ServerConnection
from mailproto.connection.limits import CloseReason, Limits
from mailproto.content import Content
from mailproto.delivery import Delivery, accepted
from mailproto.errors import MailError, OverQuota, WireError
from mailproto.model import Address, Envelope, Outcome, Parameters, Session
from mailproto.smtp import SMTPServerFactory
from mailproto.testing import ELSEWHERE, MemoryTransport
from tests.test_connection import LineWire, WordFactory

WHO: ContextVar[str] = ContextVar("who", default="nobody")


TLS: Any = object()


class Traced(ServerConnection[bytes]):
    """Notes for whom each of its methods is called; ``i am NAME`` says it."""

    def __init__(self, factory: Any) -> None:
        super().__init__(factory)
        self.wire = LineWire()
        self.seen: list[tuple[str, str]] = []
        self.pending: list[Deferred[Any]] = []
        self.on_closed: Callable[[], None] = lambda: None

    def note(self, what: str) -> None:
        self.seen.append((what, WHO.get()))

    def handle(self, event: bytes) -> Any:
        word, _, rest = event.decode().partition(" ")
        return getattr(self, word)(rest)

    def i(self, rest: str) -> None:
        WHO.set(rest.removeprefix("am "))

    def now(self, rest: str) -> None:
        self.note("now")

    async def wait(self, rest: str) -> None:
        self.note("before")
        await self.pend()
        self.note("after")
        await self.pend()
        self.note("after that")
        if rest:
            WHO.set(rest)

    def pend(self) -> Deferred[Any]:
        pending: Deferred[Any] = Deferred()
        self.pending.append(pending)
        return pending

    def deferred(self, rest: str) -> Deferred[Any]:
        return self.pend()

    async def much(self, rest: str) -> None:
        self.write(b"x" * 10_000)
        await self.drained()
        self.note("drained")

    def write_much(self, rest: str) -> None:
        self.write(b"x" * 100_000)

    async def fail(self, rest: str) -> None:
        await self.pend()
        raise OverQuota

    def elsewhere(self, rest: str) -> None:
        self.factory.elsewhere(self)  # type: ignore[attr-defined]

    def greet(self) -> None:
        self.note("greet")

    def refuse(self, event: bytes, error: MailError) -> None:
        self.note("refuse")

    def refuse_syntax(self, error: WireError) -> None:
        self.note("refuse_syntax")

    def closing_words(self, reason: CloseReason) -> bytes:
        self.note("closing_words")
        return b""

    def describe(self, event: bytes) -> str:
        self.note("describe")
        return ""

    def idle_limit(self) -> float:
        self.note("idle_limit")
        return super().idle_limit()

    def closed(self) -> None:
        self.note("closed")
        self.on_closed()


class TracedFactory(WordFactory):
    elsewhere: Callable[[Traced], None]

    def buildProtocol(self, addr: object) -> Any:
        return Traced(self)


class ServerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.factory = TracedFactory(self.clock, limits=Limits(first_command=10, idle=100))
        self.ada, self.bob = self.connect("ada"), self.connect("bob")

    def tearDown(self) -> None:
        self.assertEqual(WHO.get(), "nobody")

    def connect(self, name: str) -> Traced:
        connection: Traced = self.factory.buildProtocol(None)
        MemoryTransport(connection, ELSEWHERE)
        self.assertEqual(connection.seen, [("greet", "nobody")])
        connection.seen.clear()
        if name:
            self.send(connection, f"i am {name}\n")
        return connection

    def send(self, connection: Traced, said: str) -> None:
        connection.transport.send(said.encode())

    def assert_own(self, *whats: str, of: Traced | None = None, who: str = "ada") -> None:
        """What happened, for whom each time; of the idle limit nothing is said."""
        seen = [each for each in (of or self.ada).seen if each[0] != "idle_limit"]
        self.assertEqual(seen, [(what, who) for what in whats])
        self.assertEqual({name for _, name in (of or self.ada).seen}, {who})
        self.assertEqual(WHO.get(), "nobody")

    def test_what_one_sets_no_other_sees(self) -> None:
        for _ in range(2):
            self.send(self.ada, "now\n")
            self.send(self.bob, "now\n")
        self.assert_own("now", "now")
        self.assert_own("now", "now", of=self.bob, who="bob")
        other = self.connect("")
        self.send(other, "now\n")
        self.assert_own("now", of=other, who="nobody")

    def test_each_wait_whoever_ends_it(self) -> None:
        self.send(self.ada, "wait\nnow\n")
        self.send(self.bob, "wait\nnow\n")
        for _ in range(2):
            copy_context().run(self.fire, self.ada)  # the reactor, a thread's result
            self.bob.in_context(self.fire, self.bob)
        self.assert_own("before", "after", "after that", "now")
        self.assert_own("before", "after", "after that", "now", of=self.bob, who="bob")

    def test_wait_that_another_one_ends(self) -> None:
        """In the middle of its own."""
        self.factory.elsewhere = lambda _: self.fire(self.ada)
        self.send(self.ada, "wait\nnow\n")
        self.send(self.bob, "elsewhere\nelsewhere\nnow\n")
        self.assert_own("before", "after", "after that", "now")
        self.assert_own("now", of=self.bob, who="bob")

    def test_back_to_one_from_inside_another(self) -> None:
        """Ada's command ends Bob's connection, and that calls Ada again: each time it is its own."""
        self.bob.on_closed = lambda: self.ada.in_context(self.ada.note, "from Bob's end")
        self.factory.elsewhere = lambda _: self.bob.transport.drop()
        self.send(self.ada, "elsewhere\nnow\n")
        self.assert_own("from Bob's end", "now")
        self.assert_own("closed", of=self.bob, who="bob")

    def test_what_is_set_after_a_wait_is_kept(self) -> None:
        self.send(self.ada, "wait eve\nnow\n")
        self.fire(self.ada)
        self.fire(self.ada)
        self.assertEqual(self.ada.seen[-1], ("now", "eve"))

    def test_deferred(self) -> None:
        self.send(self.ada, "deferred\nnow\n")
        self.bob.in_context(self.fire, self.ada)
        self.assert_own("now")

    def test_failures(self) -> None:
        self.send(self.ada, "fail\n!\nnothing\n")
        self.bob.in_context(self.fire, self.ada)
        self.ada.seen = [each for each in self.ada.seen if each[0] != "describe"]  # for the log
        self.assert_own("refuse", "refuse_syntax", "refuse")
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)

    def test_client_that_reads_again(self) -> None:
        transport = self.ada.transport
        transport.capacity = 100
        self.send(self.ada, "much\nnow\n")
        self.assertEqual(self.ada.seen, [])
        self.bob.in_context(transport.read)
        self.assert_own("drained", "now")
        self.ada.seen.clear()
        self.send(self.ada, "write_much\nnow\n")
        self.assertEqual(self.ada.seen, [])
        self.bob.in_context(transport.read)
        self.assert_own("now")

    def test_timers(self) -> None:
        self.clock.advance(100)
        self.assert_own("closing_words", "closed")
        self.assert_own("closing_words", "closed", of=self.bob, who="bob")

    def test_timer_that_is_set_inside_another_s_command(self) -> None:
        """Some reactors fire a timer in the context where it was set."""
        contexts = []
        call_later = self.clock.callLater

        def keep_context(*arguments: Any) -> Any:
            contexts.append(copy_context())
            return call_later(arguments[0], contexts[-1].run, *arguments[1:])

        self.clock.callLater = keep_context  # type: ignore[method-assign]
        self.factory.elsewhere = lambda _: self.bob.revoke()
        self.send(self.bob, "deferred\n")
        self.send(self.ada, "elsewhere\n")
        self.clock.advance(1)
        self.assert_own("closing_words", "closed", of=self.bob, who="bob")

    def test_ends(self) -> None:
        ends: Sequence[tuple[Callable[[Traced], Any], Sequence[str]]] = [
            (lambda connection: connection.transport.drop(), ["closed"]),
            (lambda connection: connection.abort(), ["closed"]),
            (lambda connection: connection.end(b""), ["closed"]),
            (lambda connection: connection.revoke(), ["closing_words", "closed"]),
            (lambda connection: connection.stop(), ["closing_words", "closed"]),
            (lambda connection: connection.readConnectionLost(), ["closed"]),
        ]
        for end, expected in ends:
            connection = self.connect("eve")
            self.bob.in_context(end, connection)
            self.assert_own(*expected, of=connection, who="eve")

    def test_the_last_that_is_read(self) -> None:
        """What came before the client closed its side is handled then."""
        self.send(self.ada, "wait\nnow\n")
        self.bob.in_context(self.ada.readConnectionLost)
        self.fire(self.ada)
        self.fire(self.ada)
        self.assert_own("before", "after", "after that", "now", "closed")

    def test_what_was_set_where_it_was_made(self) -> None:
        """Such as by the program, before it listens."""
        context = copy_context()
        context.run(WHO.set, "program")
        connection = self.factory.buildProtocol(None)
        context.run(MemoryTransport, connection, ELSEWHERE)
        self.send(connection, "now\n")
        self.assertEqual(connection.seen, [("greet", "program"), ("now", "program")])

    def fire(self, connection: Traced) -> None:
        connection.pending.pop(0).callback(None)


class TracingDelivery(Delivery):
    """Names each transaction after its sender, and notes what it sees under that name."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[None]] = []
        self.seen: list[tuple[str, str, str]] = []

    async def sender(self, session: Session, path: Address, parameters: Parameters) -> None:
        WHO.set(str(path))
        await self.wait()
        self.seen.append(("sender", str(path), WHO.get()))

    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:
        self.seen.append(("recipient", str(path), WHO.get()))
        await self.wait()
        self.seen.append(("recipient", str(path), WHO.get()))

    async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
        await self.wait()
        self.seen.append(("deliver", str(envelope.sender), WHO.get()))
        return accepted(envelope)

    def wait(self) -> Deferred[None]:
        self.waiting.append(Deferred())
        return self.waiting[-1]


class DeliveryTests(SynchronousTestCase):
    def test_tracing_does_not_mix_clients(self) -> None:
        delivery = TracingDelivery()
        factory = SMTPServerFactory(delivery, clock=Clock(), hostname="mx.test")
        names = ("ada@a.test", "bob@b.test", "eve@e.test")
        transports = []
        for name in names:
            transport = MemoryTransport(factory.buildProtocol(None))
            said = f"EHLO c.test\r\nMAIL FROM:<{name}>\r\nRCPT TO:<to.{name}>\r\nDATA\r\n"
            transport.send(said.encode())
            transports.append(transport)
        for _ in range(2):
            while delivery.waiting:
                delivery.waiting.pop().callback(None)
            for transport in transports:
                transport.send(b"Subject: x\r\n\r\n.\r\nNOOP\r\n")
        while delivery.waiting:
            delivery.waiting.pop().callback(None)
        self.assertEqual(len(delivery.seen), 4 * len(names))
        for _, path, seen in delivery.seen:
            self.assertEqual(seen, path.removeprefix("to."))
        self.assertEqual(WHO.get(), "nobody")
        for transport in transports:
            transport.drop()


class TracedSession:
    """Notes for whom each of its methods is called."""

    def __init__(self, clock: Clock) -> None:
        self.connection: ClientConnection[bytes] = ClientConnection(clock, LineWire(), self)
        self.seen: list[tuple[str, str]] = []

    def note(self, what: str) -> None:
        self.seen.append((what, WHO.get()))

    def opened(self) -> None:
        self.note("opened")

    def received(self, event: bytes) -> None:
        if event.startswith(b"you are "):
            WHO.set(event.decode().removeprefix("you are "))
        else:
            self.note("received")

    def broken(self, error: WireError) -> None:
        self.note("broken")

    def timed_out(self) -> None:
        self.note("timed_out")
        self.connection.abort()

    def secured(self) -> None:
        self.note("secured")

    def lost(self, reason: object) -> None:
        self.note("lost")


class ClientTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.ada, self.bob = self.connect("ada"), self.connect("bob")

    def connect(self, name: str) -> TracedSession:
        session = TracedSession(self.clock)
        MemoryTransport(session.connection)
        self.assertEqual(session.seen, [("opened", "nobody")])
        session.seen.clear()
        session.connection.transport.send(f"you are {name}\n".encode())
        return session

    def assert_own(self, *whats: str) -> None:
        self.assertEqual(self.ada.seen, [(what, "ada") for what in whats])
        self.assertEqual((self.bob.seen, WHO.get()), ([], "nobody"))

    def test_events(self) -> None:
        self.bob.connection.in_context(self.ada.connection.transport.send, b"one\n!\n")
        self.assert_own("received", "broken")

    def test_time(self) -> None:
        self.bob.connection.in_context(self.ada.connection.expect, "what", lambda _: None, 10)
        self.clock.advance(10)
        self.assert_own("timed_out", "lost")

    def test_end(self) -> None:
        self.bob.connection.in_context(self.ada.connection.transport.drop)
        self.assert_own("lost")

    def test_tls(self) -> None:
        self.bob.connection.in_context(self.ada.connection.start_tls, TLS, 10)
        self.bob.connection.in_context(self.ada.connection.handshakeCompleted)
        self.assert_own("secured")
        self.ada.connection.start_tls(TLS, 10)
        self.bob.connection.in_context(self.ada.connection.dataReceived, b"word\n")
        self.assert_own("secured", "secured", "received")

    def test_stream(self) -> None:
        """Its pieces, whoever lets them go on, and its end."""

        def pieces() -> Any:
            for _ in range(3):
                self.ada.note("piece")
                yield b"x" * 200_000

        self.bob.connection.in_context(
            self.ada.connection.stream, pieces(), lambda _: self.ada.note("done"), 10
        )
        self.assert_own("piece")
        for _ in range(4):
            self.bob.connection.in_context(self.ada.connection.transport.read)
            self.bob.connection.in_context(self.clock.advance, 0)
        self.assert_own("piece", "piece", "piece", "done")
