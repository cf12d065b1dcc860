"""What `mailproto.client` gives a client of any protocol, shown by one that is not SMTP."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextvars import ContextVar, copy_context
from functools import cache
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock, deferLater
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.auth import Password, hash_password, store_portal
from mailproto.backends import SimpleMailbox, SingleStore
from mailproto.client import ClientPool, ClientTimeouts, ServerAddress
from mailproto.client.errors import (
    AuthenticationRefused,
    AuthenticationUnavailable,
    ClientError,
    CommandRefused,
    ConnectFailed,
    ConnectionLost,
    GreetingRefused,
    ProtocolViolation,
    QueueTimeout,
    ServerTimeout,
    TLSFailed,
    TLSUnavailable,
)
from mailproto.pop3 import POP3ServerFactory
from mailproto.pop3.limits import POP3Limits
from mailproto.testing import MemoryTransport
from mailproto.tls import ensure_self_signed, server_tls
from tests.client.toy import ToyClient

reactor: Any = installed

NAME, ALICE, GUESS = "alice", Password("alice", "pencil"), Password("alice", "pencils")


@cache
def record() -> str:
    return hash_password("pencil")


class MemoryTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.client = ToyClient(self.clock, timeouts=ClientTimeouts(greeting=10, command=20, quit=5))
        self.transport = MemoryTransport(self.client.protocol)

    def says(self, *lines: str) -> None:
        self.transport.send("".join(f"{line}\r\n" for line in lines).encode())

    def assert_heard(self, *lines: str) -> None:
        self.assertEqual(self.transport.read().decode(), "".join(f"{line}\r\n" for line in lines))

    def error(self, deferred: Deferred[Any], kind: type[Exception]) -> Any:
        return self.failureResultOf(deferred, kind).value


class OrderTests(MemoryTestCase):
    def test_nothing_is_said_before_the_greeting(self) -> None:
        noop = self.client.commands("NOOP")
        self.assert_heard()
        self.says("+OK ready")
        self.assert_heard("NOOP")
        self.says("+OK")
        [response] = self.successResultOf(noop)
        self.assertEqual(response.status, "+OK")
        self.assertEqual(self.successResultOf(self.client.greeted()).text, "ready")

    def test_one_after_the_other(self) -> None:
        self.says("+OK ready")
        first, second = self.client.commands("STAT"), self.client.commands("NOOP")
        self.assert_heard("STAT")
        self.says("-ERR no")
        self.assertEqual(str(self.error(first, CommandRefused)), "-ERR no")
        self.assert_heard("NOOP")
        self.says("+OK")
        self.successResultOf(second)

    def test_together_in_one_turn(self) -> None:
        """RFC 2449 6.6 PIPELINING: who may say so says several things, and hears each answer."""
        self.says("+OK ready")
        said = self.client.commands("DELE 1", "DELE 2", "NOOP")
        after = self.client.commands("STAT")
        self.assert_heard("DELE 1", "DELE 2", "NOOP")
        self.says("+OK 1", "+OK 2", "+OK 3")
        self.assertEqual([each.text for each in self.successResultOf(said)], ["1", "2", "3"])
        self.assert_heard("STAT")
        self.says("+OK")
        self.successResultOf(after)

    def test_the_greeting_is_no_welcome(self) -> None:
        greeted, noop = self.client.greeted(), self.client.commands("NOOP")
        self.says("-ERR [SYS/TEMP] come back later")
        for each in (greeted, noop, self.client.greeted(), self.client.commands("NOOP")):
            error = self.error(each, GreetingRefused)
            self.assertFalse(error.is_permanent)
        self.assertFalse(self.transport.is_open)
        self.successResultOf(self.client.closed())
        self.successResultOf(self.client.quit())

    def test_quit_comes_after_all_else(self) -> None:
        self.says("+OK ready")
        noop, quit_ = self.client.commands("NOOP"), self.client.quit()
        late = self.client.commands("STAT")
        self.assert_heard("NOOP")
        self.says("+OK")
        self.successResultOf(noop)
        self.assert_heard("QUIT")
        self.says("+OK bye")
        self.transport.read()
        self.successResultOf(quit_)
        self.error(late, ConnectionLost)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class EndTests(MemoryTestCase):
    """Whatever ends the connection is told to all who wait, and to all who come later."""

    def assert_over(self, kind: type[ClientError], *waiting: Deferred[Any]) -> None:
        for each in (*waiting, self.client.commands("NOOP")):
            self.error(each, kind)
        self.assertFalse(self.client.is_usable)
        self.successResultOf(self.client.closed())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost(self) -> None:
        self.says("+OK ready")
        waiting = [self.client.commands("STAT", "NOOP"), self.client.commands("NOOP")]
        self.transport.drop()
        self.assert_over(ConnectionLost, *waiting)

    def test_silence(self) -> None:
        """Each wait has a limit of its own, and the error says what was not answered."""
        waiting = [self.client.greeted(), self.client.commands("NOOP")]
        self.clock.advance(9)
        self.assertTrue(self.transport.is_open)
        self.clock.advance(1)
        self.assert_over(ServerTimeout, *waiting)  # type: ignore[arg-type]
        self.setUp()
        self.says("+OK ready")
        stat = self.client.commands("STAT")
        self.clock.advance(20)
        self.assertEqual(str(self.error(stat, ServerTimeout)), "Timed out: no answer to STAT")
        self.assert_over(ServerTimeout)

    def test_what_is_no_protocol(self) -> None:
        self.says("+OK ready")
        stat = self.client.commands("STAT")
        self.says("HTTP/1.1 400 Bad Request")
        self.assert_over(ProtocolViolation, stat)

    def test_an_answer_before_the_question(self) -> None:
        self.says("+OK ready")
        self.says("+OK at once")
        self.assert_over(ProtocolViolation)

    def test_an_answer_along_with_the_one_before(self) -> None:
        self.says("+OK ready")
        first, second = self.client.commands("NOOP"), self.client.commands("STAT")
        self.says("+OK", "+OK 1 100")
        self.successResultOf(first)
        self.assert_over(ProtocolViolation, second)

    def test_plaintext_after_the_go_ahead_for_tls(self) -> None:
        self.says("+OK ready")
        self.client._introduce()
        self.says("+OK", "STLS", ".")
        started = self.client.starttls(CertificateOptions())
        self.says("+OK begin", "+OK injected")
        self.assert_over(ProtocolViolation, started)
        self.assertIsNone(self.transport.tls)

    def test_whatever_is_said_afterwards(self) -> None:
        """By a dialogue that goes on all the same: it hears of the end at once, each time."""
        self.says("+OK ready")
        session, heard = self.client._session, []

        async def stubborn() -> str:
            for say in (
                lambda: session.exchange("STAT", b"STAT\r\n"),
                lambda: session.exchange("STAT", b"STAT\r\n"),
                lambda: session.exchange_many([("STAT", b"STAT\r\n")]),
                lambda: session.stream("x", iter([b"x"]), 1, block=1),
            ):
                try:
                    await say()
                except ConnectionLost as error:
                    heard.append(error)
            return "done"

        running = session.run(stubborn)
        self.transport.drop()
        self.assertEqual(self.successResultOf(running), "done")
        self.assertEqual(heard, [session.error] * 4)

    def test_abort(self) -> None:
        self.says("+OK ready")
        stat = self.client.commands("STAT")
        self.client.abort()
        self.assert_over(ConnectionLost, stat)


class StreamTests(MemoryTestCase):
    def upload(self, pieces: Iterator[bytes]) -> Deferred[Any]:
        self.says("+OK ready")
        return self.client.upload(pieces)

    def test_no_faster_than_the_server_reads(self) -> None:
        given = []

        def pieces() -> Iterator[bytes]:
            for number in range(50):
                given.append(number)
                yield b"x" * 60_000

        done = self.upload(pieces())
        self.assertLess(len(given), 4)
        read = 0
        while len(given) < 50 or self.transport.unread():
            read += len(self.transport.read())
            self.clock.advance(0)
        self.assertEqual(read, 3_000_000)
        self.assertNoResult(done)
        self.says("+OK got it")
        self.successResultOf(done)

    def test_the_server_reads_no_more(self) -> None:
        done = self.upload(iter([b"x" * 100_000] * 3))
        self.clock.advance(20)
        self.assertEqual(str(self.error(done, ServerTimeout)), "Timed out: the server reads no more")

    def test_it_cannot_be_read(self) -> None:
        """Then the connection ends: nothing else tells the server that this is not all."""

        def pieces() -> Iterator[bytes]:
            yield b"x"
            raise OSError("disk on fire")

        self.assertIn("disk on fire", str(self.error(self.upload(pieces()), ConnectionLost)))
        self.assertTrue(self.transport.was_aborted)


class RealServerTestCase(TestCase):
    """Our own POP3 server, on a socket."""

    timeout = 30  # seconds

    def setUp(self) -> None:
        self.pair = ensure_self_signed(tempfile.mkdtemp(dir="."), "mx.example")
        mailbox = SimpleMailbox(uid_validity=1)
        for number in range(3):
            mailbox.add(b"Subject: %d\r\n\r\nHi.\r\n" % number)
        self.portal = store_portal(SingleStore(NAME, record(), mailbox), reactor)

    def serve(self, *, implicit: bool = False, tls: bool = True, **limits: Any) -> int:
        factory: Any = POP3ServerFactory(
            self.portal,
            clock=reactor,
            hostname="mx.example",
            tls=server_tls(*self.pair) if tls else None,
            limits=POP3Limits(idle=600, **limits),
        )
        if implicit:
            factory = TLSMemoryBIOFactory(server_tls(*self.pair), False, factory)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        return int(port.getHost().port)

    def address(self, **settings: Any) -> ServerAddress:
        defaults: dict[str, Any] = {"host": "mx.example", "endpoint": self.endpoint}
        return ServerAddress(**(defaults | {"trust_root": self.pair[0]} | settings))

    async def open(self, **settings: Any) -> ToyClient:
        client = await ToyClient.open(reactor, self.address(**settings))
        self.addCleanup(client.quit)
        return client

    async def raises(self, kind: type[ClientError], **settings: Any) -> ClientError:
        with self.assertRaises(kind) as raised:
            await self.open(**settings)
        return raised.exception


class OpeningTests(RealServerTestCase):
    async def test_tls_and_a_password(self) -> None:
        for implicit in (False, True):
            self.serve(implicit=implicit)
            client = await self.open(tls="implicit" if implicit else "required", credentials=ALICE)
            self.assertTrue(client.is_verified)
            self.assertEqual((client.tls_info() or self.fail()).version, "TLSv1.3")
            [stat] = await client.commands("STAT")
            self.assertEqual(stat.text.split()[0], "3")

    async def test_each_mechanism(self) -> None:
        """Of one message, of several, and with a server that proves itself."""
        self.serve()
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"):
            with self.subTest(mechanism):
                client = await self.open()
                with self.assertRaises(AuthenticationRefused):
                    await client.authenticate(GUESS, mechanism=mechanism)
                self.assertEqual(await client.authenticate(ALICE, mechanism=mechanism), mechanism)
                await client.commands("STAT")
                await client.quit()

    async def test_no_secret_in_clear_to_another_machine(self) -> None:
        self.serve(tls=False)
        await self.raises(AuthenticationUnavailable, tls="none", credentials=Password("élise", "\u0378"))
        await self.raises(TLSUnavailable, credentials=ALICE)

    async def test_another_servers_certificate(self) -> None:
        self.serve()
        await self.raises(TLSFailed, host="other.example", credentials=ALICE)
        client = await self.open(host="other.example", tls="opportunistic")
        self.assertTrue(client.is_encrypted)
        self.assertFalse(client.is_verified)

    async def test_a_wrong_password(self) -> None:
        self.serve()
        error = await self.raises(AuthenticationRefused, credentials=GUESS)
        self.assertTrue(error.is_permanent)
        self.assertIn("mx.example at 127.0.0.1:", str(error))

    async def test_nothing_there(self) -> None:
        port = reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        number = port.getHost().port
        await port.stopListening()
        for settings, name in (({"endpoint": None, "host": "127.0.0.1", "port": number}, "127.0.0.1"),):
            self.endpoint = None  # type: ignore[assignment]
            error = await self.raises(ConnectFailed, **settings)
            self.assertIn(f"Cannot connect to {name}:{number}", str(error))

    async def test_an_endpoint(self) -> None:
        self.serve()
        client = await ToyClient.connect(reactor, self.endpoint)
        self.addCleanup(client.quit)
        await client.commands("QUIT")

    async def test_as_any_protocol_of_twisteds(self) -> None:
        """An unconnected client has a protocol to give to an endpoint, or to a factory."""
        self.serve()
        client = ToyClient(reactor)
        self.addCleanup(client.quit)
        self.assertIs(await connectProtocol(self.endpoint, client.protocol), client.protocol)
        self.assertEqual((await client.greeted()).status, "+OK")
        other = ToyClient(reactor)
        self.addCleanup(other.quit)

        class OneClient(Factory):
            def buildProtocol(self, addr: Any) -> Any:
                return other.protocol

        await self.endpoint.connect(OneClient())
        await other.commands("CAPA", multiline=True)


class PoolTests(RealServerTestCase):
    def pool(self, **settings: Any) -> ClientPool[ToyClient]:
        address = self.address(credentials=ALICE)
        pool = ClientPool(reactor, lambda: ToyClient.open(reactor, address), address.name(110), **settings)
        self.addCleanup(pool.close)
        self.made: set[ToyClient] = set()
        return pool

    async def stat(self, client: ToyClient) -> str:
        self.made.add(client)
        [stat] = await client.commands("STAT")
        return str(stat.text)

    async def test_connections_are_used_again(self) -> None:
        self.serve()
        pool = self.pool(connections=3)
        stats = await gatherResults([pool.run(self.stat) for _ in range(40)])
        self.assertEqual({each.split()[0] for each in stats}, {"3"})
        self.assertLessEqual(len(self.made), 3)
        await pool.close()
        self.assertFalse(any(each.is_usable for each in self.made))
        with self.assertRaises(ConnectionLost):
            await pool.run(self.stat)

    async def test_a_server_that_takes_few(self) -> None:
        self.serve(connections_per_peer=2)
        pool = self.pool(connections=6)
        stats = await gatherResults([pool.run(self.stat) for _ in range(30)])
        self.assertEqual(len(stats), 30)
        self.assertLessEqual(len(self.made), 2)

    async def test_so_many_jobs_a_connection(self) -> None:
        self.serve()
        pool = self.pool(connections=1, jobs=2)
        for _ in range(5):
            await pool.run(self.stat)
        self.assertEqual(len(self.made), 3)

    async def test_what_a_job_raises_is_its_own_result(self) -> None:
        self.serve()
        pool = self.pool(connections=1)

        async def wrong(client: ToyClient) -> None:
            raise ZeroDivisionError

        async def refused(client: ToyClient) -> None:
            await client.commands("RETR 99", multiline=True)

        with self.assertRaises(ZeroDivisionError):
            await pool.run(wrong)
        with self.assertRaises(CommandRefused):
            await pool.run(refused)
        await pool.run(self.stat)

    async def test_one_that_is_cancelled(self) -> None:
        """Its connection ends, since nothing is known of it; the others go on over a new one."""
        self.serve()
        pool = self.pool(connections=1)
        ended = []

        async def long(client: ToyClient) -> None:
            self.made.add(client)
            try:
                await deferLater(reactor, 1000)
            except CancelledError:
                ended.append(client)
                raise

        running, waiting, other = pool.run(long), pool.run(self.stat), pool.run(self.stat)
        while not self.made:
            await deferLater(reactor, 0.01)
        waiting.cancel()
        running.cancel()
        for each in (running, waiting):
            with self.assertRaises(CancelledError):
                await each
        await other
        self.assertEqual(ended, [each for each in self.made if not each.is_usable])

    async def test_one_that_goes_on_after_its_connection(self) -> None:
        """What it does then is its own business: its result is told, and closing waits for it."""
        self.serve()
        pool = self.pool(connections=1)
        go_on: Deferred[None] = Deferred()

        async def fetch_and_keep(client: ToyClient) -> str:
            [stat] = await client.commands("STAT")
            client.abort()
            await go_on
            return str(stat.text)

        running = pool.run(fetch_and_keep)
        await pool.run(self.stat)  # over another connection
        closed = pool.close()
        await deferLater(reactor, 0.1)
        self.assertNoResult(running)
        self.assertNoResult(closed)
        go_on.callback(None)
        self.assertEqual((await running).split()[0], "3")
        await closed

    async def test_one_of_two_is_cancelled(self) -> None:
        """What it waits for is cancelled; the connection goes on for the other one."""
        self.serve()
        pool = self.pool(connections=1, at_once=2)
        ended = []

        async def wait(client: ToyClient) -> str:
            self.made.add(client)
            try:
                await deferLater(reactor, 0.5)
            finally:
                ended.append(client)
            return await self.stat(client)

        older, younger = pool.run(wait), pool.run(wait)
        while len(self.made) < 1:
            await deferLater(reactor, 0.01)
        younger.cancel()
        self.assertEqual(len(ended), 1)
        with self.assertRaises(CancelledError):
            await younger
        self.assertEqual((await older).split()[0], "3")

    async def test_one_that_waits_for_too_long(self) -> None:
        self.serve()
        pool = self.pool(connections=1)
        go_on: Deferred[None] = Deferred()

        async def until_told(client: ToyClient) -> None:
            await go_on

        first = pool.run(until_told)
        with self.assertRaises(QueueTimeout) as raised:
            await pool.run(self.stat, wait=0.3)
        self.assertIn("Waited 0.3 s for a connection to mx.example", str(raised.exception))
        go_on.callback(None)
        await first

    async def test_each_job_in_the_context_of_what_wants_it(self) -> None:
        """However many share a connection, and whatever they set; opening one is nobody's."""
        self.serve()
        who: ContextVar[str] = ContextVar("who", default="nobody")
        seen: list[tuple[str, ...]] = []
        pool = self.pool(connections=1)
        open_client, opened_by = pool._open_client, []

        def note_and_open() -> Any:
            opened_by.append(who.get())
            return open_client()

        pool._open_client = note_and_open

        async def work(client: ToyClient) -> None:
            before = who.get()
            await client.commands("STAT")
            seen.append((before, who.get()))
            who.set("somebody else")

        def want(name: str) -> Deferred[None]:
            who.set(name)
            return pool.run(work).addCallback(lambda _: seen.append(("then", who.get())))

        names = [f"client {number}" for number in range(5)]
        await gatherResults([copy_context().run(want, name) for name in names])
        expected = [each for name in names for each in ((name, name), ("then", name))]
        self.assertEqual(sorted(seen), sorted(expected))
        self.assertEqual((opened_by, who.get()), (["nobody"], "nobody"))

    async def test_no_server(self) -> None:
        number = self.serve()
        address = ServerAddress("127.0.0.1", 1 if number != 1 else 2, tls="none")
        pool = ClientPool(reactor, lambda: ToyClient.open(reactor, address), address.name(110))
        for run in [pool.run(self.stat) for _ in range(3)]:
            with self.assertRaises(ConnectFailed):
                await run
        await pool.close()

    def test_its_face(self) -> None:
        """What connections tell it is not on it."""
        names = {name for name in dir(ClientPool) if not name.startswith("_")}
        self.assertEqual(names, {"add", "close", "coming", "is_closed", "log", "run"})

    def test_a_pool_that_could_do_nothing(self) -> None:
        for wrong in ({"connections": 0}, {"jobs": 0}, {"at_once": 0}, {"idle": -1}):
            self.assertRaises(ValueError, ClientPool, reactor, lambda: None, "x", **wrong)  # type: ignore[arg-type]
