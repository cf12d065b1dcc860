"""Whatever stands between the socket and a connection sees every octet, both ways."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import tcp
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols import tls
from twisted.protocols.policies import (
    ProtocolWrapper,
    ThrottlingFactory,
    TrafficLoggingFactory,
    TrafficLoggingProtocol,
    WrappingFactory,
)
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailproto import _twisted_internals
from mailproto.client.base import ClientConnection
from mailproto.connection._turn import Turn
from mailproto.connection.proxy import Networks, ProxiedFactory
from mailproto.testing import LOOPBACK
from mailproto.tls import ensure_self_signed, server_tls
from tests.stepped_reactor import SteppedReactor, heard, tcp_pair
from tests.test_connection import LineWire, WordFactory
from tests.tls.stdlib_client import StdlibClient


class Seen:
    """Octets that went through a wrapper."""

    def __init__(self) -> None:
        self.received = b""
        self.written = b""


class Counting(ProtocolWrapper):
    """Notes all octets."""

    def dataReceived(self, data: bytes) -> None:
        self.factory.seen.received += data
        super().dataReceived(data)

    def write(self, data: bytes) -> None:
        self.factory.seen.written += data
        super().write(data)

    def writeSequence(self, data: Any) -> None:
        self.factory.seen.written += b"".join(data)
        super().writeSequence(data)


class Deflating(Protocol):
    """As RFC 4978 has it; no `ProtocolWrapper`, and its own transport for the protocol above."""

    def __init__(self, inner: Any, seen: Seen) -> None:
        self.inner = inner
        self.seen = seen
        self.out = zlib.compressobj(wbits=-15)
        self.into = zlib.decompressobj(wbits=-15)

    def connectionMade(self) -> None:
        self.inner.makeConnection(self)

    def dataReceived(self, data: bytes) -> None:
        plain = self.into.decompress(data)
        self.seen.received += plain
        self.inner.dataReceived(plain)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.inner.connectionLost(reason)

    def write(self, data: bytes) -> None:
        self.seen.written += data
        self.transport.write(self.out.compress(data) + self.out.flush(zlib.Z_SYNC_FLUSH))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


class NoNoise(WrappingFactory):
    noisy = False


def counting(factory: Any, seen: Seen) -> Any:
    wrapping: Any = NoNoise(factory)
    wrapping.protocol, wrapping.seen = Counting, seen
    return wrapping


def logging(factory: Any, seen: Seen) -> Any:
    """Twisted's own, which writes to a file."""

    class Log(TrafficLoggingProtocol):
        def dataReceived(self, data: bytes) -> None:
            seen.received += data
            super().dataReceived(data)

        def write(self, data: bytes) -> None:
            seen.written += data
            super().write(data)

    wrapping = TrafficLoggingFactory(factory, "log")
    wrapping.noisy, wrapping.protocol = False, Log
    wrapping.open = lambda name: io.StringIO()
    return wrapping


def deflating(factory: Any, seen: Seen) -> Any:
    wrapping = Factory()
    wrapping.noisy = False
    wrapping.buildProtocol = lambda address: Deflating(factory.buildProtocol(address), seen)
    return wrapping


class PlainClient:
    """The other end of a plaintext connection."""

    def __init__(self) -> None:
        self._out = self._in = b""

    def write(self, data: bytes) -> None:
        self._out += data

    def to_send(self) -> bytes:
        out, self._out = self._out, b""
        return out

    def receive(self, data: bytes) -> None:
        self._in += data

    def read(self) -> bytes:
        read, self._in = self._in, b""
        return read


class DeflatingClient(PlainClient):
    """The other end of `Deflating`."""

    def __init__(self) -> None:
        super().__init__()
        self._deflate = zlib.compressobj(wbits=-15)
        self._inflate = zlib.decompressobj(wbits=-15)

    def write(self, data: bytes) -> None:
        self._out += self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def receive(self, data: bytes) -> None:
        self._in += self._inflate.decompress(data)


WRAPPERS = {"counting": counting, "logging": logging}


class RememberingFactory(WordFactory):
    """Knows what it has built."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.built: list[Any] = []

    def buildProtocol(self, addr: object) -> Any:
        self.built.append(super().buildProtocol(addr))
        return self.built[-1]


class StackCase(SynchronousTestCase):
    """With a server's connection over a real socket, and any stack in between."""

    def setUp(self) -> None:
        self.addCleanup(_twisted_internals.take_shortcuts, _twisted_internals.take_shortcuts(True))
        self.reactor = SteppedReactor()
        self.patch(tls, "_get_default_clock", lambda: self.reactor)  # of what startTLS makes
        folder = Path(self.mktemp())
        folder.mkdir()
        self.tls = server_tls(*ensure_self_signed(folder, "mail.test"))
        self.factory = RememberingFactory(self.reactor, tls=self.tls)
        self.seen = Seen()

    @property
    def connection(self) -> Any:
        """The one that was built last."""
        return self.factory.built[-1]

    def over_tls(self, factory: Any) -> Any:
        return TLSMemoryBIOFactory(self.tls, False, factory, clock=self.reactor)

    def connect(
        self, factory: Any, client: Any = None, transport_class: type[tcp.Server] = tcp.Server
    ) -> tcp.Server:
        """A transport of Twisted's with ``factory``'s protocol, and what is at the other end."""
        self.socket, server = tcp_pair()
        self.addCleanup(self.socket.close)
        protocol = factory.buildProtocol(None)
        transport = transport_class(server, protocol, (LOOPBACK, 1), None, 0, self.reactor)  # type: ignore[arg-type]
        self.addCleanup(transport.connectionLost, Failure(ConnectionError()))
        transport.startReading()
        self.client = client or PlainClient()
        protocol.makeConnection(transport)
        return transport

    def pass_on(self) -> None:
        """All that is to be said, both ways."""
        for _ in range(20):
            if out := self.client.to_send():
                self.socket.sendall(out)
            self.reactor.turn()
            self.reactor.advance(0)
            self.client.receive(heard(self.socket))

    def ask(self, said: bytes) -> bytes:
        self.client.write(said)
        self.pass_on()
        return bytes(self.client.read())


class ServerTests(StackCase):
    def test_in_plaintext(self) -> None:
        for name, wrapper in WRAPPERS.items():
            self.seen = Seen()
            self.connect(wrapper(self.factory, self.seen))
            self.assertEqual(self.ask(b"one\nkilobyte\ntwo\n"), b"hello\none\n" + KILOBYTE + b"two\n", name)
            self.assert_seen(b"one\nkilobyte\ntwo\n", b"hello\none\n" + KILOBYTE + b"two\n")

    def test_inside_tls(self) -> None:
        for name, wrapper in WRAPPERS.items():
            self.seen = Seen()
            self.connect(self.over_tls(wrapper(self.factory, self.seen)), StdlibClient())
            self.pass_on()
            self.assertEqual(self.ask(b"one\n"), b"hello\none\n", name)
            self.assert_seen(b"one\n", b"hello\none\n")

    def test_below_tls(self) -> None:
        for name, wrapper in WRAPPERS.items():
            self.seen = Seen()
            self.connect(wrapper(self.over_tls(self.factory), self.seen), StdlibClient())
            self.pass_on()
            before = len(self.seen.written)
            self.assertEqual(self.ask(b"one\n"), b"hello\none\n", name)
            self.assertGreater(len(self.seen.written), before)
            self.assertEqual(self.seen.written[:1], b"\x16")
            self.assertNotIn(b"one\n", self.seen.written + self.seen.received)

    def test_twice(self) -> None:
        outer = Seen()
        self.connect(counting(self.over_tls(counting(self.factory, self.seen)), outer), StdlibClient())
        self.pass_on()
        self.assertEqual(self.ask(b"one\n"), b"hello\none\n")
        self.assert_seen(b"one\n", b"hello\none\n")
        self.assertEqual((outer.written[:1], outer.received[:1]), (b"\x16", b"\x16"))

    def test_starttls(self) -> None:
        """TLS goes below the wrapper, which sees plaintext, all the same."""
        for name, wrapper in WRAPPERS.items():
            self.seen = Seen()
            self.connect(wrapper(self.factory, self.seen))
            self.assertEqual(self.ask(b"tls\n"), b"hello\ngo ahead\n")
            self.client = StdlibClient()
            self.pass_on()
            self.assertEqual(self.ask(b"one\n"), b"one\n", name)
            self.assert_seen(b"tls\none\n", b"hello\ngo ahead\none\n")
            connection = self.connection
            self.assertEqual((connection.is_encrypted, connection.can_start_tls), (True, False), name)
            self.assertEqual(
                (connection.channel.is_encrypted, connection.tls_version), (True, "TLSv1.3"), name
            )

    def test_starttls_in_one_packet_with_the_handshake(self) -> None:
        self.connect(counting(self.factory, self.seen))
        self.pass_on()
        self.client.read()
        client = StdlibClient()
        self.client.write(b"tls\n" + client.to_send())
        self.pass_on()
        go_ahead, _, rest = self.client.read().partition(b"\n")
        self.assertEqual(go_ahead, b"go ahead")
        self.client = client
        client.receive(rest)
        self.pass_on()
        self.assertEqual(self.ask(b"one\n"), b"one\n")

    def test_compression(self) -> None:
        self.connect(deflating(self.factory, self.seen), DeflatingClient())
        self.assertEqual(self.ask(b"one\nkilobyte\n"), b"hello\none\n" + KILOBYTE)
        self.assert_seen(b"one\nkilobyte\n", b"hello\none\n" + KILOBYTE)

    def test_compression_that_begins_later(self) -> None:
        """A protocol puts a layer between itself and the transport that it has had so far."""

        class Layer:
            def __init__(self, below: Any, seen: Seen) -> None:
                self.below, self.seen = below, seen

            def write(self, data: bytes) -> None:
                self.seen.written += data
                self.below.write(data)

            def __getattr__(self, name: str) -> Any:
                return getattr(self.below, name)

        for over in (lambda factory: factory, self.over_tls):
            self.seen = Seen()
            self.connect(over(self.factory), StdlibClient() if over == self.over_tls else None)
            self.pass_on()
            self.assertEqual(self.ask(b"one\n"), b"hello\none\n")
            connection = self.connection
            connection.transport = Layer(connection.transport, self.seen)
            self.assertEqual(self.ask(b"two\n"), b"two\n")
            self.assertEqual(self.seen.written, b"two\n")

    def test_throttling(self) -> None:
        """Writing more than is allowed in a second pauses the producer, which is our connection."""
        throttling = ThrottlingFactory(self.factory, writeLimit=1000)
        throttling.noisy = False
        throttling.callLater = self.reactor.callLater
        self.connect(throttling)
        received = self.ask(b"kilobyte\n" * 5)
        self.assertEqual(received, b"hello\n" + KILOBYTE * 5)
        self.reactor.advance(1)
        self.pass_on()
        self.assertEqual(self.ask(b"one\n"), b"")
        self.reactor.advance(10)
        self.pass_on()
        self.assertEqual(self.client.read(), b"one\n")
        self.addCleanup(throttling.stopFactory)

    def test_subclasses_of_transports(self) -> None:
        seen = self.seen

        class Writing(tcp.Server):
            def write(self, data: bytes) -> None:
                seen.written += data
                super().write(data)

        class Sending(tcp.Server):
            def writeSomeData(self, data: bytes) -> Any:
                sent = super().writeSomeData(data)
                seen.written += bytes(data[:sent])  # type: ignore[index]
                return sent

        for transport_class in (Writing, Sending):
            seen.written = b""
            self.connect(self.factory, transport_class=transport_class)
            self.assertEqual(self.ask(b"one\nkilobyte\n"), b"hello\none\n" + KILOBYTE)
            self.assertEqual(seen.written, b"hello\none\n" + KILOBYTE)

    def test_subclasses_of_tls(self) -> None:
        seen = self.seen

        class Layer(BufferingTLSTransport):
            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments)
                write = self.write

                def note(data: bytes) -> None:
                    seen.written += data
                    write(data)

                self.write = note  # type: ignore[method-assign]

        factory = self.over_tls(self.factory)
        factory.protocol = Layer
        self.connect(factory, StdlibClient())
        self.pass_on()
        self.assertEqual(self.ask(b"one\n"), b"hello\none\n")
        self.assertEqual(seen.written, b"hello\none\n")

    def test_methods_that_are_replaced(self) -> None:
        """Of one transport, before it is connected or later."""

        def note(transport: tcp.Server) -> None:
            write = transport.write

            def noting(data: bytes) -> None:
                self.seen.written += data
                write(data)

            transport.write = noting  # type: ignore[method-assign]

        transport = self.connect(self.factory)
        note(transport)
        self.assertEqual(self.ask(b"one\n"), b"hello\none\n")
        self.assertEqual(self.seen.written, b"one\n")

        class EarlyFactory(Factory):
            def buildProtocol(inner, address: Any) -> Any:  # noqa: N805
                protocol = self.factory.buildProtocol(None)
                make = protocol.makeConnection
                protocol.makeConnection = lambda transport: (note(transport), make(transport))
                return protocol

        self.seen = Seen()
        self.connect(EarlyFactory())
        self.assertEqual(self.ask(b"one\n"), b"hello\none\n")
        self.assertEqual(self.seen.written, b"hello\none\n")

    def test_inner_methods_that_are_replaced(self) -> None:
        """Such as of what a transport does with its socket, or of TLS."""

        def send(transport: Any) -> None:
            write_some_data = transport.writeSomeData

            def noting(data: bytes) -> Any:
                sent = write_some_data(data)
                self.seen.written += bytes(data[:sent])
                return sent

            transport.writeSomeData = noting

        def write(layer: Any) -> None:
            write = layer.write

            def noting(data: bytes) -> None:
                self.seen.written += data
                write(data)

            layer.write = noting

        for replace, over in ((send, lambda factory: factory), (write, self.over_tls)):
            self.seen = Seen()

            class ReplacingFactory(Factory):
                noisy = False

                def buildProtocol(inner, address: Any, replace: Any = replace) -> Any:  # noqa: N805
                    protocol = self.factory.buildProtocol(None)
                    make = protocol.makeConnection
                    protocol.makeConnection = lambda transport: (replace(transport), make(transport))
                    return protocol

            self.connect(over(ReplacingFactory()), StdlibClient() if replace is write else None)
            self.pass_on()
            self.assertEqual(self.ask(b"one\n"), b"hello\none\n")
            self.assertEqual(self.seen.written, b"hello\none\n")

    def test_tls_inside_another(self) -> None:
        """Over a transport that speaks TLS already: both encrypt."""
        outer = Factory.forProtocol(Protocol)
        transport = self.connect(outer, StdlibClient())
        transport.startTLS(self.tls)
        self.pass_on()
        layer: Any = self.over_tls(self.factory).buildProtocol(None)
        outside: Any = transport.protocol
        outside.wrappedProtocol = layer
        layer.makeConnection(transport)
        inside = StdlibClient()
        for _ in range(6):
            self.client.write(inside.to_send() or b"")
            self.pass_on()
            inside.receive(self.client.read())
        inside.write(b"one\n")
        self.client.write(inside.to_send())
        self.pass_on()
        inside.receive(self.client.read())
        self.assertEqual(inside.read(), b"hello\none\n")

    def assert_seen(self, received: bytes, written: bytes) -> None:
        self.assertEqual((self.seen.received, self.seen.written), (received, written))


class OrderTests(StackCase):
    """What goes to the transport itself stays in order with what goes past it."""

    def stacks(self) -> list[tuple[Any, Any]]:
        return [(self.factory, PlainClient()), (self.over_tls(self.factory), StdlibClient())]

    def test_a_subclass_writes_to_the_transport_itself(self) -> None:
        for factory, client in self.stacks():
            self.connect(factory, client)
            self.pass_on()
            self.client.read()
            connection = self.connection
            connection.transport.write(b"1\n")
            connection.write(b"2\n")
            connection.transport.writeSequence([b"3\n", b"4\n"])
            connection.write(b"5\n")
            self.pass_on()
            self.assertEqual(self.client.read(), b"1\n2\n3\n4\n5\n")

    def test_what_the_socket_does_not_take(self) -> None:
        for factory, client in self.stacks():
            self.connect(factory, client)
            self.pass_on()
            self.client.read()
            connection = self.connection
            large = bytes(range(256)) * 40_000
            connection.write(large)
            connection.write(b"2\n")
            received = b""
            for _ in range(200):
                self.pass_on()
                received += self.client.read()
            self.assertEqual(received, large + b"2\n")
            if isinstance(client, PlainClient):  # from then on the socket is used again
                connection.write(b"3\n")
                self.assertEqual(heard(self.socket), b"3\n")

    def test_tls_that_somebody_else_begins(self) -> None:
        """Nothing is sent in clear from then on."""
        transport = self.connect(self.factory)
        self.assertEqual(self.ask(b"one\n"), b"hello\none\n")
        transport.startTLS(self.tls)
        self.client = StdlibClient()
        self.pass_on()
        self.assertEqual(self.ask(b"two\n"), b"two\n")


class ShortcutTests(StackCase):
    """Where nothing is in between, replies do not wait for the reactor."""

    def at_once(self, factory: Any, client: Any, prologue: bytes = b"") -> bool:
        """Whether what is written between turns is there before the next one."""
        self.connect(factory, client)
        if prologue:
            self.socket.sendall(prologue)
        self.pass_on()
        self.client.read()
        connection = self.connection
        connection.write(b"news\n")
        self.client.receive(heard(self.socket))
        return self.client.read() == b"news\n"

    def test_each_stack(self) -> None:
        proxies = Networks([LOOPBACK])
        proxied = lambda factory: _named(ProxiedFactory(factory, proxies, clock=self.reactor))  # noqa: E731
        header = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"
        stacks: list[tuple[Any, Callable[[], Any], bytes, bool]] = [
            (self.factory, PlainClient, b"", True),
            (proxied(self.factory), PlainClient, header, True),
            (counting(self.factory, self.seen), PlainClient, b"", False),
        ]
        for number, (factory, client, prologue, expected) in enumerate(stacks):
            with self.subTest(number):
                self.assertEqual(self.at_once(factory, client(), prologue), expected)
                _twisted_internals.take_shortcuts(False)
                self.assertFalse(self.at_once(factory, client(), prologue))
                _twisted_internals.take_shortcuts(True)

    def test_tls_does_not_wait_to_encrypt(self) -> None:
        """What `BufferingTLSTransport` does; the transport below writes at the end of the turn."""
        tls = self.over_tls
        for number, (factory, starttls, waits) in enumerate(
            (
                (tls(self.factory), False, 0),
                (tls(counting(self.factory, self.seen)), False, 1),
                (counting(tls(self.factory), self.seen), False, 1),
                (self.factory, True, 0),
                (counting(self.factory, self.seen), True, 1),
            )
        ):
            self.connect(factory, PlainClient() if starttls else StdlibClient())
            self.pass_on()
            if starttls:
                self.ask(b"tls\n")
                self.client = StdlibClient()
                self.pass_on()
            self.client.read()
            before = len(self.reactor.getDelayedCalls())
            self.connection.write(b"news\n")
            self.assertEqual(len(self.reactor.getDelayedCalls()) - before, waits, number)
            self.pass_on()
            self.assertEqual(self.client.read(), b"news\n")

    def test_who_is_served_with_others(self) -> None:
        """A connection over a transport of Twisted's own, as it is; no other."""
        tls = self.over_tls
        for number, (factory, expected) in enumerate(
            (
                (self.factory, True),
                (tls(self.factory), True),
                (tls(tls(self.factory)), False),
                (counting(self.factory, self.seen), False),
                (tls(counting(self.factory, self.seen)), False),
                (counting(tls(self.factory), self.seen), False),
            )
        ):
            transport = self.connect(factory)
            self.assertEqual(isinstance(transport.reactor, Turn), expected, number)


class ClientTests(StackCase):
    def test_in_plaintext_and_inside_tls(self) -> None:
        """A client's connection; the tests' own end is the server."""

        class Session:
            heard: list[bytes] = []

            def received(self, event: bytes) -> None:
                self.heard.append(event)
                client.write(b"heard\n")

            def __getattr__(self, name: str) -> Any:
                return lambda *arguments: None

        session: Any = Session()
        client: ClientConnection[bytes] = ClientConnection(self.reactor, LineWire(), session)
        self.connect(counting(_Building(client), self.seen))
        self.socket.sendall(b"one\ntwo\n")
        self.pass_on()
        client.write(b"bye\n")
        client.stream(iter([b"x" * 10, b"y" * 10]), lambda error: None, 10)
        self.pass_on()
        said = b"heard\nheard\nbye\n" + b"x" * 10 + b"y" * 10
        self.assertEqual((session.heard, self.client.read()), ([b"one", b"two"], said))
        self.assertEqual((self.seen.received, self.seen.written), (b"one\ntwo\n", said))


class _Building(Factory):
    noisy = False

    def __init__(self, protocol: Any) -> None:
        self.built = protocol

    def buildProtocol(self, address: Any) -> Any:
        return self.built


def _named(factory: Any) -> Any:
    """Such a proxy's connection is known by its address."""
    build = factory.buildProtocol
    address = type("Address", (), {"host": LOOPBACK})
    factory.buildProtocol = lambda _: build(address)
    return factory


KILOBYTE = b"x" * 1023 + b"\n"
