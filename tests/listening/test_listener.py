"""Listening: when clients are served, where, and what keeps it from being possible."""

from __future__ import annotations

import os
import select
import socket
import ssl
from contextlib import ExitStack
from functools import partial
from typing import Any

from twisted.application.service import Application, IService, IServiceCollection, MultiService
from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint, UNIXServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from mailproto.listening import Listener, ListenError
from mailproto.listening._errors import StartFailed
from mailproto.listening._listener import ACCEPTS
from mailproto.tls import ensure_self_signed, server_tls
from tests.listening.servers import ANY, Endpoint, Greeting, Port


def _answer_with(port: Port, pending: Deferred[Any]) -> None:
    pending.callback(port)


def port_error(listener: Listener) -> str:
    try:
        return str(listener.port)
    except RuntimeError as error:
        return str(error).removeprefix("Greeting has no port: ")


class StartTests(TestCase):
    async def test_where_it_listens(self) -> None:
        path = os.path.relpath(self.mktemp())
        for endpoint, address in (
            (ANY, r"^127\.0\.0\.1:\d+$"),
            (TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"), r"^127\.0\.0\.1:\d+$"),
            (TCP6ServerEndpoint(reactor, 0, interface="::1"), r"^\[::1\]:\d+$"),
            (f"unix:{path}", f"^{path}$"),
            (UNIXServerEndpoint(reactor, path), f"^{path}$"),
        ):
            with self.subTest(endpoint=endpoint):
                listener = Listener(endpoint, Greeting())
                self.assertEqual(listener.address, "")
                await listener.start()
                try:
                    self.assertRegex(listener.address, address)
                    host, colon, port = listener.address.rpartition(":")
                    if colon:
                        self.assertEqual(listener.port, int(port))
                        socket.create_connection((host.strip("[]"), listener.port)).close()
                    else:
                        self.assertEqual(port_error(listener), "it listens on no TCP port")
                finally:
                    await listener.stop()
                self.assertEqual(listener.address, "")
                self.assertEqual(port_error(listener), "it is not listening: call start() first")

    async def test_is_told(self) -> None:
        told: list[str] = []
        listener = Listener(ANY, Greeting(), listening=told.append)
        await listener.start()
        self.assertEqual(told, [listener.address])
        await listener.stop()

    async def test_the_log_tells_it(self) -> None:
        for name, title in (("front", "front"), ("", "Greeting")):
            with capturedLogs() as events:
                listener = Listener(ANY, Greeting(), name=name)
                await listener.start()
                address = listener.address
                await listener.stop()
            self.assertIn(f"mailproto: {title} on {address}", [formatEvent(event) for event in events])

    async def test_started_twice(self) -> None:
        listener = Listener(ANY, Greeting())
        await listener.start()
        self.addCleanup(listener.stop)
        self.assertRaisesRegex(RuntimeError, "Greeting has been started already", listener.start)

    async def test_stopped_and_started_again(self) -> None:
        listener = Listener(ANY, Greeting())
        for _ in range(2):
            await listener.start()
            with socket.create_connection(("127.0.0.1", listener.port), 5) as client:
                client.setblocking(False)
                await deferLater(reactor, 0.05)
                self.assertEqual(client.recv(100), b"hello")
            await listener.stop()
            await listener.stop()

    async def test_as_a_part_of_an_application(self) -> None:
        application = Application("test")
        first, second = Listener(ANY, Greeting()), Listener(ANY, Greeting())
        first.setServiceParent(application)
        parts = MultiService()
        parts.setServiceParent(IServiceCollection(application))
        second.setServiceParent(parts)
        whole = IService(application)
        whole.privilegedStartService()
        whole.startService()
        await deferLater(reactor, 0)
        self.assertNotEqual(first.port, second.port)
        await whole.stopService()
        self.assertEqual((first.address, second.address), ("", ""))

    def test_wrong_tls(self) -> None:
        for tls in ("cert.pem", ssl.create_default_context(), True):
            message = "^tls must be a TLS context, not .*: write mailproto.tls.server_tls"
            self.assertRaisesRegex(TypeError, message, Listener, ANY, Greeting(), tls=tls)

    async def test_tls_from_the_first_octet(self) -> None:
        tls = server_tls(*ensure_self_signed(self.mktemp_folder(), "localhost"))
        listener = Listener(ANY, Greeting(), tls=tls)
        self.assertEqual(listener._title, "Greetings")
        await listener.start()
        self.addCleanup(listener.stop)

        def talk() -> bytes:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with (
                socket.create_connection(("127.0.0.1", listener.port), 5) as plain,
                context.wrap_socket(plain) as client,
            ):
                return client.recv(100)

        self.assertEqual(await deferToThread(talk), b"hello")

    def mktemp_folder(self) -> str:
        folder = self.mktemp()
        os.makedirs(folder)
        return folder

    def test_wrong_arguments(self) -> None:
        for endpoint, factory, message in (
            (
                8025,
                Greeting(),
                "endpoint must be an endpoint string such as '.*', or .*, not 8025: write",
            ),
            (b"tcp:8025", Greeting(), "endpoint .* not b'tcp:8025'"),
            (None, Greeting(), "endpoint .* not None"),
            (
                ANY,
                Greeting,
                "factory must be a factory of protocols, not the class ",
            ),
            (ANY, None, "factory .* not None"),
            (Greeting(), ANY, "endpoint .* not an object of the class "),
        ):
            with self.subTest(message=message):
                self.assertRaisesRegex(TypeError, f"^{message}", Listener, endpoint, factory)


class WaitingTests(TestCase):
    async def test_many_connect_before_one_is_accepted(self) -> None:
        listener = Listener(ANY, Greeting())
        await listener.start()
        clients = []
        try:
            for _ in range(300):  # the reactor does not run meanwhile
                client = socket.socket()
                clients.append(client)
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", listener.port))
            waiting = select.poll()
            for client in clients:
                waiting.register(client, select.POLLOUT)
            self.assertEqual(len(waiting.poll(500)), 300)
        finally:
            for client in clients:
                client.close()
            await listener.stop()

    async def test_no_more_than_some_are_accepted_in_one_turn(self) -> None:
        built: list[int] = []
        turn = 0
        factory = Greeting()
        build = factory.buildProtocol

        def noted(address: Any) -> Any:
            built.append(turn)
            return build(address)

        factory.buildProtocol = noted  # type: ignore[method-assign,assignment]
        listener = Listener(ANY, factory)
        await listener.start()
        self.addCleanup(listener.stop)
        with ExitStack() as clients:
            for _ in range(5 * ACCEPTS):  # the reactor does not run meanwhile
                clients.enter_context(socket.create_connection(("127.0.0.1", listener.port), 5))
            while len(built) < 5 * ACCEPTS:
                turn += 1
                await deferLater(reactor, 0)
        self.assertEqual(max(built.count(number) for number in built), ACCEPTS)

    async def test_who_comes_before_clients_are_served_waits(self) -> None:
        listener = Listener(ANY, Greeting())
        listener.privilegedStartService()
        self.addCleanup(listener.stop)
        with socket.create_connection(("127.0.0.1", listener.port), 5) as client:
            client.setblocking(False)
            for _ in range(5):
                await deferLater(reactor, 0.02)
                self.assertRaises(BlockingIOError, client.recv, 100)
            await listener.startService()
            await deferLater(reactor, 0.05)
            self.assertEqual(client.recv(100), b"hello")

    async def test_a_port_that_cannot_make_clients_wait_closes_their_connections(self) -> None:
        """And serves those that come later."""
        listener = Listener(ANY, Greeting())
        self.patch(listener, "_accept_from", lambda port, accept: None)
        listener.privilegedStartService()
        self.addCleanup(listener.stop)
        for expected in (b"", b"hello"):
            with socket.create_connection(("127.0.0.1", listener.port), 5) as client:
                client.setblocking(False)
                await deferLater(reactor, 0.05)
                self.assertEqual(client.recv(100), expected)
            if not expected:
                await listener.startService()

    async def test_an_endpoint_that_answers_later(self) -> None:
        for outcome in (
            None,
            CannotListenError(None, 25, OSError(98, "Address already in use")),
            ValueError(),
        ):
            with self.subTest(outcome=outcome):
                pending: Deferred[Any] = Deferred()
                listener = Listener(Endpoint(pending), Greeting())
                listener.privilegedStartService()
                started = listener.startService()
                self.assertNoResult(started)
                port = Port()
                pending.callback(port) if outcome is None else pending.errback(outcome)
                if outcome is None:
                    self.successResultOf(started)
                    self.assertEqual((listener.port, listener.address), (25, "127.0.0.1:25"))
                else:
                    self.failureResultOf(started, ListenError)
                self.successResultOf(listener.stopService())
                self.assertEqual(port.stopped, int(outcome is None))

    async def test_stopped_before_it_listens(self) -> None:
        """Whether or not the endpoint takes notice."""
        for is_ignored in (False, True):
            port = Port()
            pending: Deferred[Any] = Deferred(partial(_answer_with, port) if is_ignored else None)
            listener = Listener(Endpoint(pending), Greeting())
            started = listener.start()
            self.successResultOf(listener.stop())
            self.successResultOf(started)
            self.assertEqual((port.stopped, listener.address), (int(is_ignored), ""))


class ErrorTests(TestCase):
    async def refusal(self, listener: Listener) -> str:
        """The same line for a program and for an application; nothing stays."""
        try:
            await listener.start()
        except ListenError as error:
            line = str(error)
        else:
            await listener.stop()
            raise AssertionError("it listens")
        self.assertEqual((listener.running, listener.address), (0, ""))
        error = self.assertRaises(ListenError, listener.privilegedStartService)
        self.assertEqual(str(error), line)
        await listener.stop()
        self.assertNotIn("\n", line)
        return line

    async def test_in_use(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            to_do = "Address already in use: end the program that listens there, or choose another port"
            for endpoint, where in (
                (f"tcp:{port}:interface=127.0.0.1", f"tcp:{port}:interface=127.0.0.1"),
                (TCP4ServerEndpoint(reactor, port, interface="127.0.0.1"), f"127.0.0.1:{port}"),
                (TCP4ServerEndpoint(reactor, port), f":{port}"),
            ):
                listener = Listener(endpoint, Greeting())
                self.assertEqual(await self.refusal(listener), f"cannot listen on {where}: {to_do}")
        await listener.start()  # now that it is free
        await listener.stop()

    async def test_where_it_cannot_be(self) -> None:
        for endpoint, reason in (
            ("tcp:65536:interface=127.0.0.1", "a port is a number from 0 to 65535"),
            (
                "tcp:0:interface=192.0.2.1",
                "Cannot assign requested address: it is no address of this machine",
            ),
            ("nonsense:1", "not a Twisted server endpoint that works ("),
            ("8025", "not a Twisted server endpoint that works ("),
            ("", "not a Twisted server endpoint that works ("),
            ("tcp:smtp", "not a Twisted server endpoint that works ("),
            ("tcp:0:interface=no such host", ""),
            ("tcp:1\n2", ""),
        ):
            with self.subTest(endpoint=endpoint):
                line = await self.refusal(Listener(endpoint, Greeting()))
                self.assertIn(f": {reason}", line)

    async def test_a_factory_that_cannot_start(self) -> None:
        class Broken(Greeting):
            def startFactory(self) -> None:
                raise ValueError("broken")

        listener = Listener(ANY, Broken())
        for _ in range(2):
            try:
                await listener.start()
            except ValueError as error:
                self.assertEqual(str(error), "broken")
            else:
                raise AssertionError("it started")
            self.assertEqual((listener.running, listener.address), (0, ""))

    async def test_a_port_for_root_alone(self) -> None:
        denied = fail(CannotListenError("", 25, OSError(13, "Denied")))
        line = str(self.failureResultOf(Listener(Endpoint(denied), Greeting()).start(), ListenError).value)
        self.assertIn("may not listen there: start as root (twistd --uid USER --gid GROUP", line)

    async def test_while_a_process_starts_it_ends_it_with_one_line(self) -> None:
        self.patch(reactor, "running", False)
        listener = Listener("nonsense:1", Greeting())
        error = self.assertRaises(StartFailed, listener.privilegedStartService)
        self.assertIsInstance(error, SystemExit)
        self.assertIsInstance(error, Exception)  # for twistd's parent process
        self.assertEqual(error.code, str(error))
