"""Who is next when more passwords come than the threads can check: never the flood before the others."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailproto.auth import DirectoryChecker, _queue
from mailproto.auth.credentials import IClientPassword
from mailproto.auth.passwords import MAX_WAITING, PasswordVerifier
from mailproto.auth.sasl import SASLServer
from mailproto.connection.proxy import Networks, ProxiedFactory
from mailproto.errors import TemporaryAuthenticationFailure, Unavailable
from mailproto.interfaces import IRevocable
from mailproto.observing import Client
from mailproto.testing import LOOPBACK, MemoryTransport
from tests.auth.exchanges import LOCAL, Realm, b64, run
from tests.auth.fakes import Directory, Pool, Reactor, cheap_hash
from tests.smtp.server.dialogue import DialogueTestCase

MOST_UNTIL_A_NEWCOMER = 2
"""Checks that may run before a newcomer's, after those that ran when it came: a few tenths of a second."""


class QueueTests(SynchronousTestCase):
    """Connections are numbered; a check is named by its account in the list of what was done."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.pool = Pool()
        self.verifier = PasswordVerifier(self.reactor, threads=1, pool=self.pool)
        self.hash = cheap_hash("right")
        self.guesses = 0

    def ask(self, name: str, address: str, *, right: bool = False, connection: int = 0) -> Deferred[bool]:
        self.guesses += 1
        password = "right" if right else f"guess {self.guesses}"
        client = Client(address, "imap", address=address, connection=connection or 10_000 + self.guesses)
        asked = self.verifier.verify(name, self.hash, password, client=client)
        asked.addErrback(lambda failure: failure.trap(Unavailable))
        return asked

    def step(self) -> None:
        """The threads do what they have."""
        self.pool.run()
        self.reactor.advance(0)

    def finish(self) -> None:
        while self.pool.queue:
            self.step()

    def steps_until(self, asked: Deferred[bool]) -> int:
        for number in range(1000):
            if asked.called:
                self.assertIs(self.successResultOf(asked), True)
                return number
            self.step()
        raise AssertionError("never")

    def assert_soon(self, asked: Deferred[bool]) -> None:
        self.assertLessEqual(self.steps_until(asked), 1 + MOST_UNTIL_A_NEWCOMER)

    def test_one_address_guesses_one_account(self) -> None:
        for _ in range(200):
            self.ask("alice", "192.0.2.1")
        self.assert_soon(self.ask("bob", "192.0.2.2", right=True))

    def test_one_address_guesses_many_accounts(self) -> None:
        newcomer = self.ask("bob", "192.0.2.2", right=True)
        for number in range(200):
            self.ask(f"user{number}", "192.0.2.1")
        self.assert_soon(newcomer)

    def test_many_addresses_guess_one_account(self) -> None:
        for number in range(200):
            self.ask("alice", f"198.51.100.{number}")
        for _ in range(20):
            self.step()
        self.assert_soon(self.ask("bob", "192.0.2.2", right=True))

    def test_one_ipv6_network_is_one_client(self) -> None:
        newcomer = self.ask("bob", "2001:db8:0:2::1", right=True)
        for number in range(200):
            self.ask(f"user{number}", f"2001:db8:0:1::{number:x}")
        self.assert_soon(newcomer)

    def test_newcomer_on_the_attackers_address(self) -> None:
        """As behind one router, or on one machine."""
        for number in range(200):
            self.ask(f"user{number}", "192.0.2.1", connection=number + 1)
        for _ in range(100):
            self.step()
        newcomer = self.ask("bob", "192.0.2.1", right=True, connection=1000)
        for number in range(100):  # those that were refused guess again
            self.ask(f"another{number}", "192.0.2.1", connection=200 - number)
        self.assert_soon(newcomer)

    def test_attackers_that_never_stop(self) -> None:
        """Each answer is followed by another guess from the same address, over a new connection."""
        for _ in range(50):
            self.ask("alice", "192.0.2.1")
        for _ in range(20):
            self.step()
        newcomer = self.ask("bob", "192.0.2.2", right=True)
        for _ in range(1 + MOST_UNTIL_A_NEWCOMER):
            if newcomer.called:
                break
            self.ask("carol", "192.0.2.1")
            self.step()
        self.assertIs(self.successResultOf(newcomer), True)

    def test_who_signed_in_from_there_before_is_first(self) -> None:
        """Even if the account and the address are both under attack, by fresh connections."""
        self.ask("alice", "192.0.2.1", right=True)
        self.finish()
        self.reactor.advance(3600)  # the password itself is no longer remembered
        for _ in range(200):
            self.ask("alice", "198.51.100.1")
            self.ask("bob", "192.0.2.1")
        for _ in range(50):
            self.step()
        self.assertEqual(self.steps_until(self.ask("alice", "192.0.2.1", right=True)), 2)

    def test_until_a_password_from_there_is_wrong(self) -> None:
        self.ask("alice", "192.0.2.1", right=True)
        self.finish()
        self.ask("alice", "192.0.2.1")
        self.finish()
        self.reactor.advance(60)
        self.pool.queue.clear()
        running = self.ask("carol", "192.0.2.7")
        old = [self.ask("alice", "192.0.2.1") for _ in range(20)]
        newcomer = self.ask("bob", "192.0.2.2", right=True)
        self.assert_soon(newcomer)
        self.assertFalse(any(one.called for one in old))
        self.finish()
        self.assertTrue(running.called)

    def test_the_real_users_mistake_is_no_attack(self) -> None:
        self.ask("bob", "192.0.2.2")
        self.finish()
        for _ in range(200):
            self.ask("alice", "192.0.2.1")
        for _ in range(30):
            self.step()
        self.assert_soon(self.ask("bob", "192.0.2.2", right=True))

    def test_a_full_queue_refuses_the_flood(self) -> None:
        flood = [self.ask("alice", "192.0.2.1") for _ in range(700)]
        newcomers = [self.ask(f"new{number}", f"203.0.113.{number}", right=True) for number in range(20)]
        more = [self.ask("alice", "192.0.2.1") for _ in range(700)]
        self.assertFalse(any(one.called for one in newcomers))
        refused = sum(one.called for one in flood + more)
        self.assertEqual(refused, 1400 + 20 - MAX_WAITING - 1)
        for _ in range(25):
            self.step()
        self.assertTrue(all(self.successResultOf(one) is True for one in newcomers))

    def test_wrong_passwords_are_forgotten(self) -> None:
        queue = _queue.CheckQueue(self.reactor)
        check = _queue.Check(lambda: False, lambda result: None)
        client = Client("", "imap", address="192.0.2.1", connection=1)
        for _ in range(8):
            queue.identify(check, "alice", client)
            queue.put(check)
            queue.take()
            queue.done(check, was_right=False)
        queue.put(check)
        self.assertEqual(queue._ranked()[0][0], (3 * 4, 0))
        self.reactor.advance(4 * _queue.HALF_LIFE)
        self.assertEqual(queue._ranked()[0][0], (0, 0))

    def test_what_is_remembered_is_bounded(self) -> None:
        """By number, and by octets: a client chooses names of any length."""
        self.patch(_queue, "MAX_COUNTED", 20)
        for number in range(30):
            self.ask("x" * 9000 + str(number), f"192.0.2.{number}")
            self.ask("y" * 9000 + str(number), f"192.0.2.{number}", right=True)
        self.finish()
        queue = self.verifier._queue
        self.assertEqual((len(queue._failed), len(queue._known)), (20, 20))
        self.assertLess(max(map(len, (*queue._failed, *queue._known))), 33)

    def test_a_password_that_nobody_waits_for_is_not_checked(self) -> None:
        running, gone = self.ask("alice", "192.0.2.1"), self.ask("alice", "192.0.2.1")
        gone.cancel()
        self.successResultOf(gone)
        self.finish()
        self.assertIs(self.successResultOf(running), False)
        self.assertEqual(len(self.verifier._logins), 0)

    def test_another_still_waits_for_it(self) -> None:
        self.ask("carol", "192.0.2.9")
        gone, stays = (self.ask("bob", "192.0.2.2", right=True) for _ in range(2))
        gone.cancel()
        self.finish()
        self.assertIs(self.successResultOf(stays), True)

    def test_who_leaves_while_it_is_checked_has_guessed(self) -> None:
        gone = self.ask("alice", "192.0.2.1")
        gone.cancel()
        self.finish()
        self.assertEqual(len(self.verifier._queue._failed), 3)

    def test_a_flood_costs_little(self) -> None:
        """A login that waits, or is refused, is not a reason to rank all that wait."""
        self.verifier = PasswordVerifier(self.reactor, threads=2, pool=self.pool)
        ranked: list[int] = []
        rank = self.verifier._queue._ranked
        self.patch(self.verifier._queue, "_ranked", lambda: ranked.append(1) or rank())
        self.ask("alice", "192.0.2.1")
        self.step()
        for _ in range(3 * MAX_WAITING):
            self.ask("alice", "192.0.2.1")
        self.assertLess(len(ranked), 30)
        self.assertEqual((len(self.pool.queue), len(self.verifier._queue)), (1, MAX_WAITING))

    def test_no_more_at_once_than_threads(self) -> None:
        verifier = PasswordVerifier(self.reactor, threads=3, pool=self.pool)
        for number in range(9):
            verifier.verify("alice", self.hash, str(number))
        self.assertEqual(len(self.pool.queue), 3)

    def test_a_thread_is_kept_from_the_flood(self) -> None:
        self.verifier = PasswordVerifier(self.reactor, threads=2, pool=self.pool)
        for _ in range(10):
            self.ask("alice", "192.0.2.1")
        self.assertEqual(len(self.pool.queue), 2)  # nothing is known of them yet
        self.step()
        self.assertEqual(len(self.pool.queue), 1)
        self.assertEqual(self.steps_until(self.ask("bob", "192.0.2.2", right=True)), 1)
        self.finish()
        self.assertEqual(len(self.verifier._queue), 0)


@implementer(ICredentialsChecker)
class Checker:
    """A stranger's checker, which knows `IUsernamePassword` and nothing of clients."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self) -> None:
        self.given: list[Any] = []

    def requestAvatarId(self, credentials: Any) -> bytes:
        self.given.append(credentials)
        if not credentials.checkPassword(b"secret"):
            raise UnauthorizedLogin
        return bytes(credentials.username)


@implementer(IRevocable)
class Session:
    """A connection, as far as SASL needs it."""

    client = Client("192.0.2.1 via 192.0.2.7", "imap", address="192.0.2.1", connection=7)

    def revoke(self) -> None: ...


class ClientTests(SynchronousTestCase):
    """Who the client is comes to the checkers with the password."""

    def server(self, *checkers: Any, session: Any = None) -> SASLServer:
        return SASLServer(Portal(Realm(), checkers), clock=Clock(), failure_delay=0, session=session)

    def test_a_strangers_checker_is_asked_as_ever(self) -> None:
        for session in (None, Session()):
            checker = Checker()
            run(self.server(checker, session=session).begin("PLAIN", b64("\0alice\0secret").encode(), LOCAL))
            (given,) = checker.given
            self.assertEqual((given.username, given.password), (b"alice", b"secret"))

    def test_a_checker_may_know_the_client(self) -> None:
        checker = Checker()
        run(self.server(checker, session=Session()).login(UsernamePassword(b"alice", b"secret"), "LOGIN"))
        (given,) = checker.given
        self.assertTrue(IClientPassword.providedBy(given))
        self.assertEqual((given.client.network, given.client.connection), ("192.0.2.1", 7))

    def test_credentials_of_another_kind_stay_as_they_are(self) -> None:
        class Own(UsernamePassword):
            """A stranger's command gives more than a name and a password."""

        checker, own = Checker(), Own(b"alice", b"secret")
        run(self.server(checker, session=Session()).login(own, "LOGIN"))
        self.assertIs(checker.given[0], own)

    def test_the_queue_learns_who_asks_and_who_has_gone(self) -> None:
        reactor, pool = Reactor(), Pool()
        verifier = PasswordVerifier(reactor, threads=1, pool=pool)
        asked = []
        for _ in range(2):
            server = self.server(DirectoryChecker(Directory(alice="secret"), verifier), session=Session())
            credentials = UsernamePassword(b"alice@Example.org", f"{len(asked)}".encode())
            asked.append((server, Deferred.fromCoroutine(server.login(credentials, "LOGIN"))))
        self.assertEqual(len(verifier._queue), 1)
        self.assertEqual([len(check.keys) for check in verifier._queue._waiting], [3])
        server, login = asked[1]
        server.abandon()
        self.failureResultOf(login, TemporaryAuthenticationFailure)
        self.assertEqual(len(verifier._queue), 0)
        server.abandon()  # nothing more to leave


class NetworkTests(SynchronousTestCase):
    def test_what_is_one_client(self) -> None:
        for address, network in (
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::"),
            ("2001:db8::2:0:0:1", "2001:db8::"),
            ("", ""),
        ):
            self.assertEqual(Client("", "", address=address).network, network)


class ProxyTests(DialogueTestCase):
    def test_behind_a_proxy_the_real_address_counts(self) -> None:
        checker = Checker()
        self.connect(portal=Portal(Realm(), [checker]))
        for header, network in (
            (b"PROXY TCP4 203.0.113.9 198.51.100.2 40000 25\r\n", "203.0.113.9"),
            (b"PROXY TCP6 2001:db8::2:3:4:5 2001:db8::1 40000 25\r\n", "2001:db8::"),
            (b"PROXY UNKNOWN\r\n", ""),
        ):
            proxied = ProxiedFactory(self.factory, Networks([LOOPBACK]), clock=self.clock)
            protocol = proxied.buildProtocol(IPv4Address("TCP", LOOPBACK, 40000))
            assert isinstance(protocol, Protocol)
            transport = MemoryTransport(protocol, LOOPBACK, tls=True)
            transport.send(header + b"EHLO a\r\n")
            transport.send(b"AUTH PLAIN " + b64("\0alice\0secret").encode() + b"\r\n")
            self.assertIn(b"235 2.7.0", transport.read())
            self.assertEqual(checker.given.pop().client.network, network)
