"""Stopping: what has begun is finished, and clients are told."""

from __future__ import annotations

from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols.policies import WrappingFactory
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import hash_password, store_portal
from mailproto.backends import SimpleMailbox, SingleStore
from mailproto.connection.proxy import Networks, ProxiedFactory
from mailproto.imap import IMAPServerFactory
from mailproto.listening import Listener
from mailproto.pop3 import POP3ServerFactory
from mailproto.smtp import SMTPServerFactory
from mailproto.testing import Dialogue
from tests.listening.servers import Endpoint, Greeting, Port
from tests.smtp.server.dialogue import FakeDelivery

DELIVERING = """
S: 220 mail.example.org ...
C: HELO x.example
S: 250 ...
C: MAIL FROM:<a@x.example>
S: 250 ...
C: RCPT TO:<b@y.example>
S: 250 ...
C: DATA
S: 354 ...
do hold
C: Subject: hello
C:
C: .
"""


class StoppingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.delivery = FakeDelivery()
        self.smtp = SMTPServerFactory(self.delivery, clock=self.clock, hostname="mail.example.org")
        self.stopped: Deferred[None] = Deferred()

    def listen(self, factory: Any, closing: Deferred[None] | None = None) -> tuple[Listener, Dialogue]:
        """:param closing: fires when the port is closed, the first time; None for at once."""
        endpoint = self.endpoint = Endpoint(closing=closing)
        listener = Listener(endpoint, factory)
        self.successResultOf(listener.start())

        def stop() -> None:
            self.stopped = listener.stop()

        def hold() -> None:
            self.delivery.waiting = Deferred()

        def release() -> None:
            self.delivery.waiting.callback(None)

        actions = {"stop": stop, "hold": hold, "release": release, "start": listener.start}
        return listener, Dialogue(endpoint.factory, clock=self.clock, actions=actions)


class StoppingTests(StoppingCase):
    def test_a_message_that_is_being_delivered_gets_its_reply(self) -> None:
        _, dialogue = self.listen(self.smtp)
        dialogue.play(
            DELIVERING
            + """
            do stop
            wait 1 s
            do release
            S: 250 2.0.0 ...
            S: 421 4.3.2 ...
            S closes
            """
        )
        self.successResultOf(self.stopped)
        self.assertEqual(len(self.delivery.delivered), 1)

    def test_commands_behind_it_are_not_begun(self) -> None:
        _, dialogue = self.listen(self.smtp)
        dialogue.play(
            DELIVERING
            + """
            C: MAIL FROM:<a@x.example>
            do stop
            do release
            S: 250 2.0.0 ...
            S: 421 4.3.2 ...
            S closes
            """
        )

    def test_idle_clients_are_told(self) -> None:
        portal = store_portal(SingleStore("a@x.example", hash_password("x"), SimpleMailbox()), self.clock)
        for factory, told in (
            (self.smtp, "421 4.3.2 ..."),
            (POP3ServerFactory(portal, clock=self.clock, hostname="mail.example.org"), "-ERR ..."),
            (IMAPServerFactory(portal, clock=self.clock, hostname="mail.example.org"), "* BYE ..."),
        ):
            _, dialogue = self.listen(factory)
            dialogue.play(f"S: ...\ndo stop\nS: {told}\nS closes")
            self.successResultOf(self.stopped)

    def test_a_delivery_that_never_ends(self) -> None:
        _, dialogue = self.listen(self.smtp)
        dialogue.play(DELIVERING + "do stop\nwait 9.9 s")
        self.assertNoResult(self.stopped)
        with capturedLogs() as events:
            dialogue.play("wait 0.2 s\nS closes")
        self.successResultOf(self.stopped)
        lines = [str(formatEvent(event)) for event in events]
        self.assertIn("server shutting down", "".join(lines))
        self.delivery.waiting.callback(None)

    def test_who_comes_now_is_not_served(self) -> None:
        listener, dialogue = self.listen(self.smtp)
        self.successResultOf(listener.stop())
        self.assertIsNone(dialogue._factory.buildProtocol(None))

    def test_the_same_factory_serves_again(self) -> None:
        _, dialogue = self.listen(self.smtp)
        dialogue.play("S: 220 ...\ndo stop\nS: 421 ...\nS closes\ndo start")
        dialogue.connect()
        dialogue.play("S: 220 ...\nC: NOOP\nS: 250 ...")

    def test_inside_wrappers(self) -> None:
        for wrapped in (
            WrappingFactory(self.smtp),
            ProxiedFactory(self.smtp, Networks(["192.0.2.9"]), clock=self.clock),
            ProxiedFactory(WrappingFactory(self.smtp), Networks(["192.0.2.9"]), clock=self.clock),
        ):
            wrapped.noisy = False
            with self.subTest(factory=wrapped):
                _, dialogue = self.listen(wrapped)
                dialogue.play("S: 220 ...\ndo stop\nS: 421 ...\nS closes")
                self.successResultOf(self.stopped)

    def test_stopped_twice(self) -> None:
        """Both wait until all is over."""
        closing: Deferred[None] = Deferred()
        listener, dialogue = self.listen(self.smtp, closing)
        dialogue.play(DELIVERING)
        stopped = [listener.stop(), listener.stop()]
        closing.callback(None)
        for each in stopped:
            self.assertNoResult(each)
        stopped.append(listener.stop())
        dialogue.play("do release\nS: 250 2.0.0 ...\nS: 421 4.3.2 ...\nS closes")
        for each in stopped:
            self.successResultOf(each)

    def test_started_while_it_stops(self) -> None:
        """It starts when it has stopped; otherwise, the end of stopping would close what was started."""
        for start in (Listener.start, Listener.startService):
            closing: Deferred[None] = Deferred()
            listener, dialogue = self.listen(self.smtp, closing)
            dialogue.play(DELIVERING)
            stopped, started = listener.stop(), start(listener)
            self.assertRaises(RuntimeError, listener.start)
            closing.callback(None)
            self.assertNoResult(started)
            dialogue.play("do release\nS: 250 2.0.0 ...\nS: 421 4.3.2 ...\nS closes")
            self.successResultOf(stopped)
            self.successResultOf(started)
            dialogue.connect()
            dialogue.play("S: 220 ...\nC: NOOP\nS: 250 ...")
            stopped = listener.stop()
            dialogue.play("S: 421 ...\nS closes")
            self.successResultOf(stopped)

    def test_started_and_stopped_while_it_stops(self) -> None:
        for is_started_again in (False, True):
            closing: Deferred[None] = Deferred()
            listener, _ = self.listen(self.smtp, closing)
            waiting = [listener.stop(), listener.start(), listener.stop()]
            if is_started_again:
                waiting.append(listener.start())
            closing.callback(None)
            for each in waiting:
                self.successResultOf(each)
            self.assertEqual(bool(listener.address), is_started_again)
            self.assertEqual(self.endpoint.started, 1 + is_started_again)
            self.successResultOf(listener.stop())

    def test_of_other_factories_only_the_port_is_closed(self) -> None:
        _, dialogue = self.listen(Greeting())
        dialogue.play("S~: hello\ndo stop\nC~: x")
        self.successResultOf(self.stopped)

    def test_two_ports_of_one_factory(self) -> None:
        """The clients of both stay until the last one stops."""
        first, dialogue = self.listen(self.smtp)
        second, other = self.listen(self.smtp)
        dialogue.play("S: 220 ...")
        other.play("S: 220 ...")
        self.successResultOf(first.stop())
        dialogue.play("C: NOOP\nS: 250 ...")
        stopped = second.stop()
        dialogue.play("S: 421 ...\nS closes")
        other.play("S: 421 ...\nS closes")
        self.successResultOf(stopped)

    def test_several_stop_together(self) -> None:
        """The time limits of two that do not end run at the same time, and no port is open meanwhile."""
        whole, ports = MultiService(), [Port(), Port()]
        endpoints = [Endpoint(succeed(port)) for port in ports]
        for endpoint in endpoints:
            factory = SMTPServerFactory(self.delivery, clock=self.clock, hostname="mail.example.org")
            Listener(endpoint, factory).setServiceParent(whole)
        whole.startService()
        idle, busy = (
            Dialogue(endpoint.factory, clock=self.clock, actions={"hold": self.hold})
            for endpoint in endpoints
        )
        idle.play("S: 220 ...")
        busy.play(DELIVERING)
        stopped = whole.stopService()
        self.assertEqual([port.stopped for port in ports], [1, 1])
        idle.play("S: 421 ...\nS closes")
        self.assertNoResult(stopped)
        self.clock.advance(10)
        busy.play("S closes")
        self.successResultOf(stopped)
        self.delivery.waiting.callback(None)

    def hold(self) -> None:
        self.delivery.waiting = Deferred()


class UnusedTests(StoppingCase):
    def test_stopped_without_a_start(self) -> None:
        self.successResultOf(Listener(Endpoint(), Factory()).stop())
