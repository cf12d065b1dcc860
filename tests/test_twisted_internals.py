"""What is relied on and not promised by Twisted: a test of each row, by its name.

One that fails says that the version of Twisted that is installed does otherwise.  Where it is a
shortcut, ``MAILPROTO_PLAIN_TWISTED=1`` in the environment helps until the code is mended.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import twisted.internet
from OpenSSL import SSL
from twisted.internet import endpoints, tcp, unix
from twisted.internet.address import IPv4Address
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.base import DelayedCall
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IOpenSSLServerConnectionCreator,
    IReadDescriptor,
    ISSLTransport,
)
from twisted.internet.main import installReactor
from twisted.internet.pollreactor import PollReactor
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.protocols import tls
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.protocols.policies import WrappingFactory
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.scripts import _twistd_unix
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailproto import _twisted_internals as internals
from mailproto.connection._turn import turn_of
from mailproto.testing import LOOPBACK
from mailproto.tls import ensure_self_signed, server_tls
from tests.processes import CHECKOUT
from tests.stepped_reactor import SteppedReactor, heard, tcp_pair
from tests.tls.stdlib_client import StdlibClient


@implementer(IHalfCloseableProtocol)
class Noting(Protocol):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.received = b""
        self.events: list[Any] = []
        self.fails: Exception | None = None

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if self.fails:
            raise self.fails

    def readConnectionLost(self) -> None:
        self.events.append("read")

    def writeConnectionLost(self) -> None:
        self.events.append("write")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.events.append(reason.value)


class InternalsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.addCleanup(internals.take_shortcuts, internals.take_shortcuts(True))
        self.reactor: Any = SteppedReactor()
        self.patch(tls, "_get_default_clock", lambda: self.reactor)

    def make_tls(self) -> Any:
        folder = Path(self.mktemp())
        folder.mkdir()
        return server_tls(*ensure_self_signed(folder, "mail.test"))

    def connect(self, protocol: Any = None, kind: type[Any] = tcp.Server) -> tuple[socket.socket, Any]:
        """A client's socket, and the transport of a server."""
        protocol = protocol or Noting()
        if kind is tcp.Server:
            client, server = tcp_pair()
            transport: Any = tcp.Server(server, protocol, (LOOPBACK, 1), None, 0, self.reactor)
        else:
            client, server = socket.socketpair()
            client.setblocking(False)
            transport = unix.Server(server, protocol, None, None, 0, self.reactor)
        self.addCleanup(client.close)
        self.addCleanup(transport.connectionLost, Failure(ConnectionDone()))
        transport.startReading()
        protocol.makeConnection(transport)
        return client, transport

    def shake_hands(self, client: socket.socket) -> StdlibClient:
        inside = StdlibClient()
        for _ in range(10):
            client.sendall(inside.to_send())
            self.reactor.turn()
            inside.receive(heard(client))
        return inside


class WritingTests(InternalsCase):
    def test_many_pieces_are_sent_without_joining_them(self) -> None:
        for sizes in ([1, 2, 3], [70_000], [30_000, 1, 50_000], [10] * 20_000, [3_000_000, 5, 4_000_000]):
            client, transport = self.connect()
            pieces = [bytes([at % 251]) * size for at, size in enumerate(sizes)]
            internals.writer_of(transport)(pieces)
            internals.writer_of(transport)([b"the", b" end"])
            found = b""
            while not found.endswith(b"the end"):
                self.reactor.turn()
                found += heard(client)
            self.assertTrue(found == b"".join(pieces) + b"the end")
            client.close()


class ShortcutTests(InternalsCase):
    def test_socket_of_transport(self) -> None:
        for kind in (tcp.Server, unix.Server):
            client, transport = self.connect(kind=kind)
            self.assertIs(type(transport), kind)
            events = transport.protocol.events
            self.assertIs(transport.socket, transport.getHandle())
            transport.socket.send(b"one")
            self.assertEqual(heard(client), b"one")
            if kind is tcp.Server:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            write = internals.writer_of(transport)
            for _ in range(3):
                write([b"nobody hears it"])
                self.reactor.turn()
            self.assertTrue(events)
            self.assertIsInstance(events[-1], ConnectionLost | ConnectionDone)

    def test_transport_holds_nothing(self) -> None:
        client, transport = self.connect()
        self.assertFalse(transport.dataBuffer or transport._tempDataBuffer or transport.TLS)
        transport.write(b"one")
        transport.writeSequence([b"two"])
        self.assertTrue(transport._tempDataBuffer)
        self.reactor.turn()
        self.assertFalse(transport.dataBuffer or transport._tempDataBuffer)
        transport.write(bytes(10_000_000))
        while transport._tempDataBuffer or transport.dataBuffer:
            self.reactor.turn()
            heard(client)
        self.assertFalse(self.reactor.writers)
        transport.startTLS(self.make_tls())
        self.assertTrue(transport.TLS)

    def test_transport_writes_by_method(self) -> None:
        _, transport = self.connect()
        self.assertLessEqual(internals._METHODS, set(dir(tcp.Server)) & set(dir(unix.Server)))
        self.assertTrue(internals._METHODS.isdisjoint(vars(transport)))
        transport.startTLS(self.make_tls())
        self.assertTrue(internals._METHODS.isdisjoint(vars(transport)))

    def test_tls_writes_at_once(self) -> None:
        client, transport = self.connect()
        transport.startTLS(self.make_tls())
        inside = self.shake_hands(client)
        layer = transport.protocol
        self.assertIs(type(layer), BufferingTLSTransport)
        layer.write(b"one ")
        self.assertEqual(b"".join(layer._aggregator._buffer), b"one ")
        held = layer._aggregator._buffer
        layer._aggregator.flush()
        self.assertIs(layer._aggregator._buffer, held)
        self.assertEqual(held, [])
        TLSMemoryBIOProtocol.write(layer, b"two")
        self.assertEqual(vars(layer)["write"], layer._aggregator.write)
        self.assertTrue(layer._handshakeDone)
        self.reactor.turn()
        inside.receive(heard(client))
        self.assertEqual(inside.read(), b"one two")

    def test_tls_passes_on_in_pieces(self) -> None:
        told: list[Any] = []

        class Telling(Noting):
            def dataReceived(self, data: bytes) -> None:
                told.append(data)

        client, transport = self.connect(Telling())
        transport.startTLS(self.make_tls())
        inside = self.shake_hands(client)
        end = internals.read_together(transport, lambda: told.append("begin"), lambda: told.append("end"))
        for octets in (b"one", b"two"):
            inside.write(octets)
        client.sendall(inside.to_send())
        self.reactor.turn()
        self.assertEqual(told, ["begin", b"one", b"two", "end"])
        end()
        inside.write(b"three")
        client.sendall(inside.to_send())
        self.reactor.turn()
        self.assertEqual(told[4:], [b"three"])
        internals.take_shortcuts(False)
        internals.read_together(transport, lambda: told.append("begin"), lambda: told.append("end"))
        inside.write(b"four")
        client.sendall(inside.to_send())
        self.reactor.turn()
        self.assertEqual(told[5:], [b"four"])

    def test_tls_over_transport(self) -> None:
        _, transport = self.connect()
        transport.startTLS(self.make_tls())
        self.assertIs(internals.transport_below(transport), transport)
        self.assertIs(type(transport.protocol), BufferingTLSTransport)
        over = TLSMemoryBIOFactory(self.make_tls(), False, Factory.forProtocol(Noting), clock=self.reactor)
        layer: Any = over.buildProtocol(None)
        _, transport = self.connect(layer)
        self.assertIs(type(layer), BufferingTLSTransport)
        self.assertIs(layer.transport, transport)
        self.assertIs(internals.transport_below(layer), transport)

    def test_transport_asks_its_reactor(self) -> None:
        _, transport = self.connect()
        other = transport.reactor = SteppedReactor()
        transport.write(b"x")
        self.assertEqual((other.writers, self.reactor.writers), ([transport], []))
        self.assertEqual(self.reactor.readers, [transport])
        transport.startReading()
        self.assertEqual(other.readers, [transport])
        transport.pauseProducing()
        self.assertEqual(other.readers, [])
        transport.resumeProducing()
        transport.abortConnection()
        self.assertEqual((other.readers, other.writers, len(other.calls)), ([], [], 1))
        self.reactor.readers.clear()

    def test_reactor_serves_transports(self) -> None:
        """As each reactor of Twisted does, so does what stands there instead."""
        told = {}
        for make in (None, SelectReactor, PollReactor, EPollReactor):
            name = "ours" if make is None else make.__name__
            self.reactor = reactor = SteppedReactor() if make is None else make()
            self.addCleanup(_let_go_of, reactor)
            told[name] = [self.told(reactor, how) for how in ("half", "reset", "error", "write", "gone")]
        self.assertEqual(told["ours"], told["EPollReactor"])
        self.assertEqual(told["ours"], told["SelectReactor"])
        self.assertEqual(told["ours"], told["PollReactor"])

    def told(self, reactor: Any, how: str) -> list[Any]:
        """What a protocol is told when its client ends in one way or another."""
        client, transport = self.connect()
        protocol = transport.protocol
        if isinstance(reactor, SteppedReactor):
            turn_of(transport)
        client.sendall(b"last")
        if how == "error":
            protocol.fails = ZeroDivisionError()
        elif how == "write":
            transport.write(b"x")
        elif how == "gone":
            transport.loseConnection()
        elif how == "half":
            client.shutdown(socket.SHUT_WR)
        if how == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
        for _ in range(5):
            reactor.turn() if isinstance(reactor, SteppedReactor) else reactor.doIteration(0)
        self.flushLoggedErrors(ZeroDivisionError)
        return [
            protocol.received,
            *(each if isinstance(each, str) else type(each) for each in protocol.events),
        ]

    def test_reactor_asks_for_seconds(self) -> None:
        for make in (SelectReactor, PollReactor, EPollReactor):
            reactor: Any = make()
            self.addCleanup(_let_go_of, reactor)
            fired: list[int] = []
            reactor.callLater(5, fired.append, 1)
            now = [1000.0]
            reactor.seconds = lambda now=now: now[0]
            call = reactor.callLater(10, fired.append, 2)
            self.assertIsInstance(call, DelayedCall)
            self.assertEqual(call.getTime(), 1010)
            self.assertAlmostEqual(reactor.callLater(20, fired.append, 3).getTime(), 1020)
            now[0] = 1004.0
            reactor.runUntilCurrent()
            self.assertEqual(reactor.timeout(), 6)
            call.reset(8)
            now[0] = 1012.0
            reactor.runUntilCurrent()
            self.assertEqual(fired, [2])


def _let_go_of(reactor: Any) -> None:
    """Its pipe, by which threads wake it, and what else it has open."""
    for each in reactor.removeAll() if hasattr(reactor, "removeAll") else ():
        each.connectionLost(Failure(ConnectionDone()))
    if waker := getattr(reactor, "waker", None):
        waker.connectionLost(Failure(ConnectionDone()))


class NeedTests(InternalsCase):
    def test_tls_connection(self) -> None:
        made: list[Any] = []

        @implementer(IOpenSSLServerConnectionCreator)
        class Creator:
            def serverConnectionForTLS(self, protocol: Any) -> Any:
                made.append(creator.serverConnectionForTLS(protocol))
                return made[-1]

        creator = self.make_tls()
        _, transport = self.connect()
        self.assertIsNone(internals.tls_connection(transport))
        transport.startTLS(Creator())
        self.assertTrue(ISSLTransport.providedBy(transport))
        self.assertIs(internals.tls_connection(transport), made[-1])
        layer: Any = TLSMemoryBIOFactory(Creator(), False, WrappingFactory(Factory.forProtocol(Noting)))
        layer.noisy = layer.wrappedFactory.noisy = False
        layer = layer.buildProtocol(None)
        self.connect(layer)
        for each in (layer, layer.wrappedProtocol.transport, layer.wrappedProtocol):
            self.assertIs(internals.tls_connection(each), made[-1])
        layer.connectionLost(Failure(ConnectionDone()))
        self.assertIsNone(internals.tls_connection(layer))
        layer.connectionLost = lambda reason: None

    def test_tls_layer(self) -> None:
        client, transport = self.connect()
        protocol = transport.protocol
        self.assertIsNone(internals.tls_layer(transport))
        transport.startTLS(self.make_tls())
        inside = StdlibClient()
        layer: Any = internals.tls_layer(transport)
        self.assertIs(layer, transport.protocol)
        layer.dataReceived(inside.to_send())
        for _ in range(5):
            self.reactor.turn()
            inside.receive(heard(client))
            client.sendall(inside.to_send())
        inside.write(b"one")
        client.sendall(inside.to_send())
        self.reactor.turn()
        self.assertEqual(protocol.received, b"one")

    def test_tls_asks_connection(self) -> None:
        asked: list[str] = []

        class Connection(SSL.Connection):
            def bio_write(self, octets: bytes) -> int:
                asked.append("bio_write")
                return super().bio_write(octets)

            def do_handshake(self) -> None:
                asked.append("do_handshake")
                super().do_handshake()

        @implementer(IOpenSSLServerConnectionCreator)
        class Creator:
            def serverConnectionForTLS(self, protocol: Any) -> Any:
                connection = Connection(context, None)
                connection.set_accept_state()
                return connection

        context = self.make_tls()._context
        client, transport = self.connect()
        transport.startTLS(Creator())
        inside = self.shake_hands(client)
        handshake = [each for each in asked if each == "do_handshake"]
        self.assertGreaterEqual(len(handshake), 2)
        self.assertEqual(asked[:3], ["do_handshake", "bio_write", "do_handshake"])
        del asked[:]
        inside.write(b"one")
        client.sendall(inside.to_send())
        self.reactor.turn()
        self.assertEqual(asked, ["bio_write"])

    def test_tls_handshake_error(self) -> None:
        class Error(SSL.Error):
            """Of our own."""

        class Connection(SSL.Connection):
            def do_handshake(self) -> None:
                raise Error([("", "", "why")])

        @implementer(IOpenSSLServerConnectionCreator)
        class Creator:
            def serverConnectionForTLS(self, protocol: Any) -> Any:
                connection = Connection(context, None)
                connection.set_accept_state()
                return connection

        context = self.make_tls()._context
        protocol = Noting()
        client, transport = self.connect(protocol)
        transport.startTLS(Creator())
        client.sendall(b"x")
        for _ in range(4):
            self.reactor.turn()
            self.reactor.advance(0)
        self.assertIsInstance(protocol.events[-1], Error)

    def test_tls_names_its_protocol(self) -> None:
        above: list[Any] = []

        @implementer(IOpenSSLServerConnectionCreator)
        class Creator:
            def serverConnectionForTLS(self, protocol: Any) -> Any:
                above.append(internals.protocol_above(protocol))
                return creator.serverConnectionForTLS(protocol)

        creator = self.make_tls()
        protocol = Noting()
        _, transport = self.connect(protocol)
        transport.startTLS(Creator())
        layer: Any = TLSMemoryBIOFactory(Creator(), False, _Building(protocol)).buildProtocol(None)
        self.connect(layer)
        self.assertEqual(above, [protocol, protocol])

    def test_transport_renamed(self) -> None:
        wrapping = WrappingFactory(_Building(Noting()))
        wrapping.noisy = False
        layer: Any = TLSMemoryBIOFactory(self.make_tls(), False, wrapping).buildProtocol(None)
        client, server = tcp_pair()
        self.addCleanup(client.close)
        transport: Any = tcp.Server(server, layer, (LOOPBACK, 1), None, 0, self.reactor)
        self.addCleanup(transport.connectionLost, Failure(ConnectionDone()))
        transport.getPeer, transport.getHost = lambda: "peer", lambda: "host"
        transport.told_by_proxy = "it"
        layer.makeConnection(transport)
        for each in (transport, layer, layer.wrappedProtocol):
            self.assertEqual((each.getPeer(), each.getHost(), each.told_by_proxy), ("peer", "host", "it"))
        _, transport = self.connect()
        transport.getPeer = lambda: "peer"
        transport.startTLS(self.make_tls())
        self.assertEqual((transport.getPeer(), transport.protocol.getPeer()), ("peer", "peer"))

    def test_haproxy_layer(self) -> None:
        wrapping = HAProxyWrappingFactory(_Building(protocol := Noting()))
        wrapping.noisy = False
        layer: Any = TLSMemoryBIOFactory(self.make_tls(), False, wrapping).buildProtocol(None)
        _, transport = self.connect(layer)
        proxy = transport.getPeer()
        haproxy = internals.haproxy_layer(protocol.transport)
        self.assertIs(haproxy, layer.wrappedProtocol)
        self.assertEqual((haproxy.getPeer(), haproxy.transport.getPeer()), (proxy, proxy))
        for header, named in (
            (b"PROXY UNKNOWN x\r\n", proxy),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", IPv4Address("TCP", "192.0.2.1", 1)),
        ):
            haproxy._proxyInfo = haproxy._parser = None
            haproxy.dataReceived(header)
            self.assertEqual((haproxy.getPeer(), haproxy.transport.getPeer()), (named, proxy))
        self.assertIsNone(internals.haproxy_layer(transport))

    def test_socket_below(self) -> None:
        wrapping = WrappingFactory(_Building(Noting()))
        wrapping.noisy = False
        layer: Any = TLSMemoryBIOFactory(self.make_tls(), False, wrapping).buildProtocol(None)
        _, transport = self.connect(layer, unix.Server)
        for each in (transport, layer, layer.wrappedProtocol):
            self.assertEqual(internals.socket_below(each).family, socket.AF_UNIX)
        self.assertIsNone(internals.socket_below(object()))

    def test_endpoint_address(self) -> None:
        clock: Any = Clock()
        host = endpoints.HostnameEndpoint(clock, "mail.test", 25)
        options: Any = object()
        context = endpoints.wrapClientTLS(options, host)
        for endpoint, expected in (
            (endpoints.TCP4ClientEndpoint(clock, "192.0.2.1", 25), ("192.0.2.1", 25)),
            (endpoints.TCP6ClientEndpoint(clock, "2001:db8::1", 25), ("2001:db8::1", 25)),
            (host, ("mail.test", 25)),
            (context, ("mail.test", 25)),
            (endpoints.UNIXClientEndpoint(clock, "/run/lmtp"), "/run/lmtp"),
            (object(), None),
        ):
            self.assertEqual(internals.endpoint_address(endpoint), expected)

    def test_twistd_daemonizes(self) -> None:
        forking: list[bool] = []

        def fork() -> int:
            forking.append(internals.is_daemonizing(sys._getframe(1)))
            raise InterruptedError

        self.patch(os, "fork", fork)
        self.patch(os, "pipe", lambda: (-1, -1))
        runner: Any = object.__new__(_twistd_unix.UnixApplicationRunner)
        self.assertRaises(InterruptedError, runner.daemonize, object())
        self.assertRaises(InterruptedError, os.fork)
        self.assertEqual(forking, [True, False])

    def test_port_is_a_reader(self) -> None:
        for reactor in (SelectReactor(), PollReactor(), EPollReactor()):
            built: list[object] = []
            factory = _Building(Noting())
            factory.buildProtocol = lambda address, built=built: built.append(address)  # type: ignore[method-assign]
            port = reactor.listenTCP(0, factory, interface=LOOPBACK)
            self.assertTrue(IReadDescriptor.providedBy(port))
            self.assertIn(port, reactor.getReaders())
            reactor.removeReader(port)
            with socket.create_connection((LOOPBACK, port.getHost().port)):
                for accepts in (False, True):
                    reactor.iterate(0.01)
                    self.assertEqual(len(built), int(accepts))
                    reactor.addReader(port)
            port.connectionLost(None)

    def test_port_accepts_in_batches(self) -> None:
        for reactor in (SelectReactor(), PollReactor(), EPollReactor()):
            built: list[object] = []
            factory = _Building(Noting())
            factory.buildProtocol = lambda address, built=built: built.append(address)  # type: ignore[method-assign]
            path = self.mktemp()
            for port, family, address in (
                (reactor.listenTCP(0, factory, interface=LOOPBACK), socket.AF_INET, None),
                (reactor.listenUNIX(path, factory), socket.AF_UNIX, path),
            ):
                built.clear()
                internals.accept_at_most(port, 10)
                with ExitStack() as clients:
                    for _ in range(35):
                        client = clients.enter_context(socket.socket(family))
                        client.connect(address or (LOOPBACK, port.getHost().port))
                    for count in (10, 20, 30, 35):
                        reactor.iterate(0.01)
                        self.assertEqual(len(built), count)
                port.connectionLost(None)

    def test_reactor_waker(self) -> None:
        reactor = SelectReactor()
        waker = reactor.waker
        self.assertIn(waker, reactor.getReaders())
        descriptor = waker.fileno()
        internals.close_waker(reactor)
        internals.close_waker(reactor)
        self.assertNotIn(waker, reactor.getReaders())
        self.assertRaises(OSError, os.fstat, descriptor)
        reactor.wakeUp()

    def test_reactor_is_a_module(self) -> None:
        name = "twisted.internet.reactor"
        for module, attribute in ((sys.modules, name), (vars(twisted.internet), "reactor")):
            if attribute in module:
                self.addCleanup(module.__setitem__, attribute, module[attribute])
                del module[attribute]
        for _ in range(2):
            reactor = object()
            installReactor(reactor)
            self.assertIs(sys.modules[name], reactor)
            internals.uninstall_reactor(object())
            self.assertIs(twisted.internet.reactor, reactor)
            internals.uninstall_reactor(reactor)
            self.assertNotIn(name, sys.modules)
            self.assertFalse(hasattr(twisted.internet, "reactor"))

    def test_reactor_crash_stops_loop(self) -> None:
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        calls: list[str] = []
        self.patch(loop, "stop", lambda: calls.append("stop"))
        reactor = AsyncioSelectorReactor(loop)
        self.addCleanup(internals.close_waker, reactor)
        reactor.startRunning(installSignalHandlers=False)
        reactor.stop()
        self.assertEqual(calls, [])
        reactor.crash()
        self.assertEqual(calls, ["stop"])

    def test_unix_lock(self) -> None:
        path = f"/tmp/mailproto-test-{os.getpid()}"
        reactor = SelectReactor()
        self.addCleanup(_let_go_of, reactor)
        endpoint = endpoints.serverFromString(reactor, f"unix:{path}")
        port: Any = self.successResultOf(endpoint.listen(_Building(Noting())))
        self.assertEqual(os.readlink(f"{path}.lock"), str(os.getpid()))
        port.connectionLost(Failure(ConnectionDone()))
        self.assertFalse(os.path.lexists(f"{path}.lock"))


class _Building(Factory):
    noisy = False

    def __init__(self, protocol: Any) -> None:
        self.built = protocol

    def buildProtocol(self, address: Any) -> Any:
        return self.built


class ListTests(SynchronousTestCase):
    def test_each_row_has_its_test(self) -> None:
        for rows, case in ((internals.SHORTCUTS, ShortcutTests), (internals.NEEDS, NeedTests)):
            tests = {name.removeprefix("test_") for name in vars(case) if name.startswith("test_")}
            self.assertEqual(tests, set(rows))

    def test_private_names_of_twisted_are_used_there_only(self) -> None:
        """Those that the tables name."""
        names = (
            "_tempDataBuffer",
            "dataBuffer",
            "_aggregator",
            "_wrappedEndpoint",
            "_hostText",
            "wrappedProtocol",
        )
        found = {
            str(path.relative_to(CHECKOUT))
            for path in (CHECKOUT / "mailproto").rglob("*.py")
            if any(name in path.read_text() for name in (*names, "wrappedProtocol", "_tlsConnection"))
        }
        # A subclass of ProtocolWrapper may use the attribute.
        self.assertEqual(found, {"mailproto/_twisted_internals.py", "mailproto/relay/_tls/_https.py"})


class SwitchTests(SynchronousTestCase):
    def test_environment(self) -> None:
        program = "from mailproto._twisted_internals import shortcuts_are_taken; print(shortcuts_are_taken())"
        for value, expected in ((None, True), ("", True), ("0", True), ("1", False), ("yes", False)):
            environment = {name: each for name, each in os.environ.items() if name != internals._SWITCH}
            if value is not None:
                environment[internals._SWITCH] = value
            done = subprocess.run(
                [sys.executable, "-c", program],
                cwd=CHECKOUT,
                env=environment,
                capture_output=True,
                check=True,
            )
            self.assertEqual(done.stdout, f"{expected}\n".encode(), value)

    def test_reactor_keeps_time(self) -> None:
        """Where shortcuts are taken, and the reactor has no time of its own."""
        for taken in (True, False):
            self.addCleanup(internals.take_shortcuts, internals.take_shortcuts(taken))
            reactor = SelectReactor()
            self.addCleanup(_let_go_of, reactor)
            internals.keep_time(reactor)
            once: Any = reactor.seconds
            self.assertAlmostEqual(reactor.seconds(), time.time(), 1)
            self.assertEqual("seconds" in vars(reactor), taken)
            internals.keep_time(reactor)
            self.assertIs(reactor.seconds, once)

    def test_other_reactors_are_left_alone(self) -> None:
        class Own(SelectReactor):
            def seconds(self) -> float:
                return 5.0

        own = Own()
        self.addCleanup(_let_go_of, own)
        internals.take_shortcuts(internals.take_shortcuts(True))
        for reactor in (own, Clock()):
            internals.keep_time(reactor)
            self.assertNotIn("seconds", vars(reactor))
