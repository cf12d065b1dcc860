"""What all servers' connections share, shown with a protocol of one word a line."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from mailproto.connection import ServerConnection, ServerFactory
from mailproto.connection._server import REVOCATION_GRACE
from mailproto.connection.limits import CloseReason, Limits
from mailproto.errors import MailError, OverQuota, WireError
from mailproto.testing import ELSEWHERE, LOOPBACK, MemoryTransport


class LineError(WireError):
    """A line that begins with ``!``; with ``!!``, one after which nothing is understood."""

    def __init__(self, *, fatal: bool) -> None:
        super().__init__("no word")
        self.fatal = fatal


class LineWire:
    """Lines in, words out."""

    def __init__(self) -> None:
        self._buffer = b""

    @property
    def pending(self) -> int:
        return len(self._buffer)

    def receive(self, data: bytes) -> None:
        self._buffer += data

    def take_pending(self) -> bytes:
        taken, self._buffer = self._buffer, b""
        return taken

    def next_event(self) -> bytes | None:
        line, end, rest = self._buffer.partition(b"\n")
        if not end:
            return None
        self._buffer = rest
        if line.startswith(b"!"):
            raise LineError(fatal=line.startswith(b"!!"))
        return line


class WordServer(ServerConnection[bytes]):
    """Says each word back; some mean something else."""

    def __init__(self, factory: WordFactory) -> None:
        super().__init__(factory)
        self.wire = LineWire()
        self.pending: list[Deferred[None]] = []
        self.is_closed = False

    def greet(self) -> None:
        self.write(b"hello\n")

    def handle(self, event: bytes) -> Awaitable[None] | None:
        method = getattr(self, f"word_{event.decode().partition(' ')[0]}", None)
        if method is not None:
            result: Awaitable[None] | None = method(event)
            return result
        self.write(event + b"\n")
        return None

    async def word_wait(self, event: bytes) -> None:
        deferred: Deferred[None] = Deferred()
        self.pending.append(deferred)
        await deferred
        self.write(event + b"\n")

    async def word_much(self, event: bytes) -> None:
        """As many kilobytes as are asked for."""
        for _ in range(int(event.split()[1])):
            self.write(b"x" * 1023 + b"\n")
            await self.drained()
            if not self.is_open:
                return
        self.write(b"done\n")

    def word_kilobyte(self, event: bytes) -> None:
        self.write(b"x" * 1023 + b"\n")

    def word_soon(self, event: bytes) -> Deferred[None]:
        self.write(b"soon\n")
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done

    def word_quit(self, event: bytes) -> None:
        self.end(b"bye\n")

    def word_tls(self, event: bytes) -> None:
        self.start_tls(b"go ahead\n")

    def word_full(self, event: bytes) -> None:
        raise OverQuota(detail="12 of 10 used")

    def word_bug(self, event: bytes) -> None:
        raise ZeroDivisionError("secret")

    async def word_laterbug(self, event: bytes) -> None:
        await self.word_wait(event)
        raise ZeroDivisionError("secret")

    async def word_laterfull(self, event: bytes) -> None:
        await self.word_wait(event)
        raise OverQuota

    def refuse_syntax(self, error: WireError) -> None:
        self.write(b"syntax: %b\n" % str(error).encode())

    def refuse(self, event: bytes, error: MailError) -> None:
        self.write(b"%b: %b\n" % (event, error.text.encode()))

    def closing_words(self, reason: CloseReason) -> bytes:
        return reason.value.encode() + b"\n"

    def closed(self) -> None:
        self.is_closed = True


class WordFactory(ServerFactory):
    def buildProtocol(self, addr: object) -> WordServer:  # type: ignore[override]
        return WordServer(self)


class ConnectionTestCase(TestCase):
    limits = Limits(first_command=10, idle=100, close_timeout=5, pipelined=1000, connections=5)

    def setUp(self) -> None:
        self.clock = Clock()
        self.factory = WordFactory(self.clock, limits=self.limits)

    def connect(self, peer: str = LOOPBACK, **more: Any) -> MemoryTransport:
        """A connection; ``self.server`` is its protocol.  The greeting is still unread."""
        self.server = self.factory.buildProtocol(None)
        return MemoryTransport(self.server, peer, **more)

    def greeted(self, peer: str = LOOPBACK, **more: Any) -> MemoryTransport:
        transport = self.connect(peer, **more)
        self.assertEqual(transport.read(), b"hello\n")
        return transport

    def release(self) -> None:
        """Let the oldest word that waits go on."""
        self.server.pending.pop(0).callback(None)


class OrderTests(ConnectionTestCase):
    def test_replies_come_in_order_whatever_is_pending(self) -> None:
        transport = self.greeted()
        transport.send(b"one\nwait a\ntwo\nsoon\nwait b\nthree\n")
        self.assertEqual(transport.read(), b"one\n")
        self.release()
        self.assertEqual(transport.read(), b"wait a\ntwo\nsoon\n")
        self.release()
        self.assertEqual(transport.read(), b"wait b\nthree\n")

    def test_byte_by_byte(self) -> None:
        transport = self.greeted()
        transport.send(b"one\nwait\ntwo\n", 1)
        self.release()
        self.assertEqual(transport.read(), b"one\nwait\ntwo\n")

    def test_replies_to_pipelined_commands_leave_in_one_write(self) -> None:
        transport = self.greeted()
        before = transport.writes
        transport.send(b"word\n" * 50)
        self.assertEqual(transport.read(), b"word\n" * 50)
        self.assertEqual(transport.writes - before, 1)

    def test_syntax_errors_are_answered_in_order_and_the_next_line_is_understood(self) -> None:
        transport = self.greeted()
        transport.send(b"wait\n!\none\n")
        self.release()
        self.assertEqual(transport.read(), b"wait\nsyntax: no word\none\n")

    def test_a_fatal_syntax_error_ends_the_connection(self) -> None:
        transport = self.greeted()
        transport.send(b"one\n!!\ntwo\n")
        self.assertEqual((transport.read(), transport.is_open), (b"one\nsyntax: no word\n", False))

    def test_the_transport_does_not_wait_for_more_to_send(self) -> None:
        self.assertTrue(self.connect().no_delay)


class RevocationTests(ConnectionTestCase):
    BYE = CloseReason.REVOKED.value.encode() + b"\n"

    def test_an_idle_session_ends_at_once(self) -> None:
        transport = self.greeted()
        self.server.revoke()
        self.assertEqual((transport.read(), transport.is_open), (self.BYE, False))
        transport.send(b"one\n")
        self.assertEqual(transport.read(), b"")

    def test_a_command_that_is_running_is_answered_and_none_after_it(self) -> None:
        transport = self.greeted()
        transport.send(b"wait a\ntwo\n")
        self.server.revoke()
        self.assertEqual((transport.read(), transport.is_open), (b"", True))
        self.release()
        self.assertEqual((transport.read(), transport.is_open), (b"wait a\n" + self.BYE, False))

    def test_a_command_that_takes_longer_is_cut_off(self) -> None:
        transport = self.greeted()
        transport.send(b"wait a\ntwo\n")
        self.server.revoke()
        self.clock.advance(REVOCATION_GRACE)
        self.assertEqual((transport.read(), transport.is_open), (self.BYE, False))
        self.release()
        self.assertEqual(transport.read(), b"")

    def test_a_client_that_does_not_read_is_cut_off_without_a_word(self) -> None:
        """Whether a command is running, or its answer waits to be read."""
        for said in (b"much 1000\n", b"kilobyte\nkilobyte\nkilobyte\n"):
            transport = self.greeted(capacity=2048)
            transport.send(said)
            self.assertTrue(self.server.congested)
            self.server.revoke()
            self.assertTrue(transport.is_open)
            self.clock.advance(REVOCATION_GRACE)
            self.assertTrue(transport.was_aborted)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_client_that_reads_slowly_is_told(self) -> None:
        transport = self.greeted(capacity=2048)
        transport.send(b"kilobyte\nkilobyte\nkilobyte\n")
        self.server.revoke()
        self.assertTrue(transport.read().endswith(b"x\n" + self.BYE))
        self.assertEqual((transport.is_open, transport.was_aborted), (False, False))

    def test_who_has_gone_or_is_told_twice(self) -> None:
        transport = self.greeted()
        self.server.revoke()
        self.server.revoke()
        self.assertEqual(transport.read(), self.BYE)
        self.server.revoke()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_while_the_server_stops(self) -> None:
        transport = self.greeted()
        transport.send(b"wait a\n")
        self.factory.shut_down()
        self.server.revoke()
        self.release()
        self.assertEqual(transport.read(), b"wait a\n" + self.BYE)


class ErrorTests(ConnectionTestCase):
    def test_a_mail_error_is_the_protocols_to_tell(self) -> None:
        transport = self.greeted()
        transport.send(b"full\nlaterfull\none\n")
        self.release()
        self.assertEqual(transport.read(), b"full: Mailbox full\nlaterfull\nlaterfull: Mailbox full\none\n")

    def test_any_other_exception_is_logged_and_a_temporary_failure(self) -> None:
        transport = self.greeted()
        transport.send(b"bug\nlaterbug\none\n")
        self.release()
        failed = b"Temporary failure, try again later\n"
        self.assertEqual(transport.read(), b"bug: " + failed + b"laterbug\nlaterbug: " + failed + b"one\n")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_a_handler_that_fails_when_the_client_is_gone_is_still_logged(self) -> None:
        transport = self.greeted()
        transport.send(b"laterbug\n")
        transport.drop()
        self.release()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class BackPressureTests(ConnectionTestCase):
    def test_what_waits_behind_a_command_is_bounded(self) -> None:
        transport = self.greeted()
        transport.send(b"wait\n")
        transport.send(b"word\n" * 200)
        self.assertTrue(transport.is_reading)
        transport.send(b"word\n" * 10)
        self.assertFalse(transport.is_reading)
        transport.send(b"last\n")
        self.assertLess(self.server.wire.pending, self.limits.pipelined + 100)
        self.release()
        self.assertTrue(transport.is_reading)
        self.assertEqual(transport.read(), b"wait\n" + b"word\n" * 210 + b"last\n")

    def test_no_command_is_begun_while_the_client_does_not_read(self) -> None:
        transport = self.greeted(capacity=5000)
        transport.send(b"kilobyte\n" * 100)
        self.assertLess(transport.unread(), 80_000)
        self.assertTrue(self.server.congested)
        transport.send(b"word\n" * 300)
        self.assertFalse(transport.is_reading)
        self.assertEqual(transport.read(), (b"x" * 1023 + b"\n") * 100 + b"word\n" * 300)
        self.assertTrue(transport.is_reading)

    def test_large_replies_to_pipelined_commands_are_not_collected(self) -> None:
        transport = self.greeted(capacity=50_000)
        self.server.word_kilobyte = lambda event: self.server.write(b"x" * 100_000)
        transport.send(b"kilobyte\n" * 50)
        self.assertLess(transport.unread(), 400_000)
        self.assertEqual(len(transport.read()), 5_000_000)

    def test_who_produces_much_waits_for_the_client(self) -> None:
        transport = self.greeted(capacity=5000)
        transport.send(b"much 100\nword\n")
        self.assertLess(transport.unread(), 7000)
        self.assertEqual(transport.read(), (b"x" * 1023 + b"\n") * 100 + b"done\nword\n")

    def test_who_waits_for_a_client_that_leaves_is_woken(self) -> None:
        transport = self.greeted(capacity=5000)
        transport.send(b"much 100\n")
        self.assertIsNotNone(self.server._running)
        transport.drop()
        self.assertIsNone(self.server._running)

    def test_drained_waits_for_nothing_where_nothing_is_unread(self) -> None:
        self.greeted()
        self.successResultOf(self.server.drained())


class TLSTests(ConnectionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.tls = object()
        self.factory.tls = self.tls

    def test_tls_begins_behind_the_go_ahead(self) -> None:
        transport = self.greeted(ELSEWHERE)
        self.assertEqual((self.server.can_start_tls, self.server.is_secure), (True, False))
        transport.send(b"one\n")
        transport.send(b"tls\n")
        self.assertEqual(transport.read(), b"one\ngo ahead\n")
        self.assertIs(transport.tls, self.tls)
        self.assertEqual((self.server.can_start_tls, self.server.is_secure), (False, True))
        transport.send(b"two\n")
        self.assertEqual(transport.read(), b"two\n")

    def test_plaintext_behind_it_closes_the_connection(self) -> None:
        for behind in (b"word\n", b"w", b"\0"):
            transport = self.greeted()
            transport.send(b"tls\n" + behind)
            closing_words = b"plaintext where TLS was to begin\n"
            self.assertEqual(
                (transport.read(), transport.is_open, transport.tls), (closing_words, False, None)
            )
            self.assertFalse(transport.was_aborted)

    def test_what_is_for_tls_goes_nowhere_else(self) -> None:
        """This transport has nothing that takes it."""
        transport = self.greeted()
        transport.send(b"tls\n\x16\x03\x01word\n")
        self.assertEqual((transport.read(), transport.was_aborted), (b"go ahead\n", True))

    def test_it_is_not_offered_without_a_certificate(self) -> None:
        self.factory.tls = None
        self.greeted()
        self.assertFalse(self.server.can_start_tls)
        self.assertIsNone(self.server.tls_info())


class PeerTests(ConnectionTestCase):
    def test_who_is_on_this_machine(self) -> None:
        for peer, shown, is_local in (
            ("127.0.0.1", "127.0.0.1", True),
            ("127.9.9.9", "127.9.9.9", True),
            ("::1", "::1", True),
            ("::ffff:127.0.0.1", "127.0.0.1", True),
            ("::ffff:192.0.2.1", "192.0.2.1", False),
            ("192.0.2.1", "192.0.2.1", False),
            ("fe80::1%eth0", "fe80::1", False),
        ):
            self.connect(peer)
            self.assertEqual((self.server.peer_address, self.server.is_local), (shown, is_local))
            self.server.transport.drop()

    def test_a_unix_socket_is_this_machine(self) -> None:
        self.patch(MemoryTransport, "getPeer", lambda self: UNIXAddress(None))
        self.connect()
        self.assertEqual((self.server.peer_address, self.server.is_secure), ("", True))


class TimeTests(ConnectionTestCase):
    def test_no_first_command(self) -> None:
        transport = self.greeted()
        transport.send(b"half a li")
        self.clock.advance(9)
        self.assertTrue(transport.is_open)
        self.clock.advance(1)
        self.assertEqual((transport.read(), transport.is_open), (b"idle too long\n", False))

    def test_idle_between_commands(self) -> None:
        transport = self.greeted()
        for _ in range(3):
            transport.send(b"word\n")
            self.clock.advance(99)
        self.assertEqual((transport.read(), transport.is_open), (b"word\n" * 3, True))
        self.clock.advance(1)
        self.assertEqual((transport.read(), transport.is_open), (b"idle too long\n", False))

    def test_octets_that_make_no_event_are_idleness(self) -> None:
        transport = self.greeted()
        transport.send(b"word\n")
        for _ in range(100):
            self.assertTrue(transport.is_open)
            transport.send(b"w")
            self.clock.advance(1)
        self.assertEqual((transport.read(), transport.is_open), (b"word\nidle too long\n", False))

    def test_our_own_work_is_no_idleness(self) -> None:
        transport = self.greeted()
        transport.send(b"wait\n")
        for _ in range(10):
            self.clock.advance(90)
        self.release()
        self.assertEqual(transport.read(), b"wait\n")
        self.clock.advance(99)
        self.assertTrue(transport.is_open)
        self.clock.advance(1)
        self.assertEqual(transport.read(), b"idle too long\n")

    def test_a_client_that_never_reads_is_aborted(self) -> None:
        for words in (b"kilobyte\n" * 100, b"much 100\n"):
            transport = self.greeted(capacity=5000)
            transport.send(words)
            self.clock.advance(99)
            self.assertTrue(transport.is_open)
            self.clock.advance(1)
            self.assertTrue(transport.was_aborted)

    def test_a_client_that_reads_slowly_is_not(self) -> None:
        transport = self.greeted(capacity=5000)
        transport.send(b"much 10\nmuch 10\n")
        self.clock.advance(99)
        self.assertGreater(transport.unread(), 5000)
        self.assertEqual(transport.read().count(b"done\n"), 2)
        self.clock.advance(99)
        self.assertTrue(transport.is_open)

    def test_no_timer_is_left_behind(self) -> None:
        for end in (b"quit\n", b"wait\n", b""):
            transport = self.greeted()
            transport.send(end)
            transport.read()
            transport.drop()
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertTrue(self.server.is_closed)


class LoginServer(WordServer):
    """One that does nothing for strangers: ``login`` and ``login later`` sign in."""

    must_sign_in = True
    name: str | None = None

    @property
    def account_name(self) -> str | None:
        return self.name

    async def word_login(self, event: bytes) -> None:
        if event.endswith(b"later"):
            await self.word_wait(event)
        self.name = "ada"
        self.write(b"welcome\n")


class LoginTimeTests(ConnectionTestCase):
    limits = Limits(first_command=40, idle=100, close_timeout=5, login=60)

    def greeted(self, peer: str = LOOPBACK, **more: Any) -> MemoryTransport:
        self.server = LoginServer(self.factory)
        transport = MemoryTransport(self.server, peer, **more)
        self.assertEqual(transport.read(), b"hello\n")
        return transport

    def test_who_only_keeps_talking(self) -> None:
        transport = self.greeted()
        for _ in range(7):
            self.clock.advance(8)
            transport.send(b"noop\n")
        self.assertEqual(transport.read(), b"noop\n" * 7)
        self.clock.advance(4)
        self.assertEqual((transport.read(), transport.is_open), (b"no login in time\n", False))

    def test_who_signs_in_may_stay(self) -> None:
        transport = self.greeted()
        transport.send(b"login\n")
        self.clock.advance(99)
        self.assertEqual((transport.read(), transport.is_open), (b"welcome\n", True))
        self.clock.advance(1)
        self.assertEqual((transport.read(), transport.is_open), (b"idle too long\n", False))

    def test_a_login_under_way_may_succeed(self) -> None:
        transport = self.greeted()
        self.clock.advance(30)
        transport.send(b"login later\n")
        self.clock.advance(31)
        self.release()
        self.assertEqual(transport.read(), b"login later\nwelcome\n")
        self.clock.advance(90)
        self.assertTrue(transport.is_open)

    def test_and_if_it_fails_that_was_the_last(self) -> None:
        transport = self.greeted()
        self.clock.advance(30)
        transport.send(b"wait\nlogin\n")
        self.clock.advance(31)
        self.release()
        self.assertEqual((transport.read(), transport.is_open), (b"wait\nno login in time\n", False))

    def test_where_nobody_must_sign_in(self) -> None:
        self.patch(LoginServer, "must_sign_in", False)
        transport = self.greeted()
        for _ in range(20):
            transport.send(b"noop\n")
            self.clock.advance(8)
        self.assertTrue(transport.is_open)


class EndTests(ConnectionTestCase):
    def test_the_farewell_is_delivered(self) -> None:
        transport = self.greeted()
        transport.send(b"one\nquit\ntwo\n")
        self.assertTrue(transport.is_open)
        self.assertEqual((transport.read(), transport.is_open), (b"one\nbye\n", False))
        self.assertFalse(transport.was_aborted)

    def test_what_comes_after_the_end_is_ignored(self) -> None:
        transport = self.greeted()
        transport.send(b"quit\n")
        transport.send(b"one\n" * 1000)
        self.server.write(b"more\n")
        self.assertFalse(self.server.is_open)
        self.assertEqual(transport.read(), b"bye\n")
        self.assertEqual(self.server.wire.pending, 0)

    def test_a_client_that_does_not_read_the_farewell_is_aborted(self) -> None:
        transport = self.greeted()
        transport.send(b"quit\n")
        self.clock.advance(4)
        self.assertTrue(transport.is_open)
        self.clock.advance(1)
        self.assertTrue(transport.was_aborted)

    def test_a_running_command_ends_in_silence_when_the_client_is_gone(self) -> None:
        transport = self.greeted()
        transport.send(b"wait\nword\n")
        transport.drop()
        self.release()
        self.assertEqual(transport.read(), b"")


class ShutDownTests(ConnectionTestCase):
    def test_nobody_is_there(self) -> None:
        self.successResultOf(self.factory.shut_down())

    def test_idle_connections_end_now(self) -> None:
        transport = self.greeted()
        done = self.factory.shut_down()
        self.assertNoResult(done)
        self.assertEqual(transport.read(), b"server shutting down\n")
        self.successResultOf(done)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_running_command_is_finished_and_no_other_begun(self) -> None:
        transport = self.greeted()
        transport.send(b"wait\nword\n")
        done = self.factory.shut_down()
        self.assertTrue(self.server.is_open)
        self.release()
        self.assertEqual(transport.read(), b"wait\nserver shutting down\n")
        self.successResultOf(done)

    def test_stragglers_are_aborted(self) -> None:
        transport = self.greeted()
        transport.send(b"wait\n")
        done = self.factory.shut_down()
        self.clock.advance(5)
        self.assertTrue(transport.was_aborted)
        self.successResultOf(done)
        self.release()

    def test_who_comes_now_is_sent_away(self) -> None:
        self.greeted()
        self.factory.shut_down()
        self.assertEqual(self.connect().read(), b"too many connections\n")

    def test_asking_twice(self) -> None:
        transport = self.greeted()
        first, second = self.factory.shut_down(), self.factory.shut_down()
        transport.read()
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class NumberTests(ConnectionTestCase):
    limits = Limits(connections=5, connections_per_peer=2)

    def test_connections_at_once(self) -> None:
        transports = [self.greeted(f"192.0.2.{number}") for number in range(1, 6)]
        refused = self.connect()
        self.assertEqual((refused.read(), refused.is_open), (b"too many connections\n", False))
        transports[0].drop()
        self.greeted()

    def test_connections_of_one_peer_unless_that_is_set(self) -> None:
        self.factory = WordFactory(self.clock, limits=Limits())
        for _ in range(200):
            self.greeted(ELSEWHERE)
        self.assertEqual(self.connect(ELSEWHERE).read(), b"too many connections\n")
        for _ in range(201):
            self.greeted(LOOPBACK)

    def test_what_is_set_holds_on_this_machine(self) -> None:
        self.greeted(LOOPBACK)
        self.greeted(LOOPBACK)
        self.assertEqual(self.connect(LOOPBACK).read(), b"too many connections\n")

    def test_connections_of_one_peer(self) -> None:
        self.greeted(ELSEWHERE)
        second = self.greeted(ELSEWHERE)
        self.assertEqual(self.connect(ELSEWHERE).read(), b"too many connections\n")
        self.greeted("192.0.2.2")
        second.drop()
        self.greeted(ELSEWHERE)

    def test_a_network_of_ipv6_is_one_peer(self) -> None:
        self.greeted("2001:db8::1")
        self.greeted("2001:db8::2")
        self.assertEqual(self.connect("2001:db8::3").read(), b"too many connections\n")
        self.greeted("2001:db8:0:1::1")

    def test_nobody_is_counted_twice(self) -> None:
        for _ in range(20):
            transport = self.greeted(ELSEWHERE)
            transport.send(b"quit\n")
            transport.read()
        self.assertEqual((self.factory.connections, self.factory._peers), (set(), {}))
