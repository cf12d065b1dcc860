"""Everything that mailproto relies on although Twisted does not promise it.

There are two tables.  `SHORTCUTS` make the server faster or its timers more exact, but nothing depends on
them: with ``MAILPROTO_PLAIN_TWISTED=1`` in the environment none of them is used.  `NEEDS` cannot be
avoided, and are always used.  `tests/test_twisted_internals.py` has a test for each row, with the same
name.  It fails if a new version of Twisted behaves differently.

Apart from these rows, mailproto uses only public interfaces of Twisted.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, Final, cast

import twisted.internet
from OpenSSL import SSL
from twisted.internet import tcp, unix
from twisted.internet.base import ReactorBase
from twisted.internet.interfaces import ISSLTransport
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOProtocol

__all__ = [
    "NEEDS",
    "SHORTCUTS",
    "accept_at_most",
    "close_waker",
    "endpoint_address",
    "haproxy_layer",
    "is_daemonizing",
    "keep_time",
    "protocol_above",
    "read_together",
    "shortcuts_are_taken",
    "socket_below",
    "take_shortcuts",
    "tls_connection",
    "tls_layer",
    "transport_below",
    "uninstall_reactor",
    "writer_of",
]

SHORTCUTS: Mapping[str, str] = {
    "socket_of_transport": """
        The TCP or Unix transport has its socket in `socket`.  Octets written to that socket are sent; an
        error is reported again when the transport itself writes.""",
    "transport_holds_nothing": """
        Such a transport has no unsent data if `dataBuffer` and `_tempDataBuffer` are empty.  It encrypts
        what it writes if `TLS` is true.""",
    "transport_writes_by_method": """
        Such a transport uses its class's methods, unless its own `__dict__` has others.""",
    "tls_writes_at_once": """
        `TLSMemoryBIOProtocol.write` encrypts and passes on at once.  `BufferingTLSTransport` first collects
        in `_aggregator`, which is empty if its `_buffer` is.""",
    "tls_over_transport": """
        After `startTLS`, a transport's `protocol` is the TLS layer.  With TLS from the first octet, the TLS
        layer's `transport` is the transport.""",
    "tls_passes_on_in_pieces": """
        A transport passes what it has read to its protocol's `dataReceived`, also if the instance has
        another one.  A TLS layer calls the `dataReceived` above it for each record of that, before it
        returns (`ClientConnection` handles all of them together).""",
    "transport_asks_its_reactor": """
        A transport calls `self.reactor` each time to start or stop being watched, so that another object
        can be put there (`connection._turn`).""",
    "reactor_serves_transports": """
        A reactor calls a transport's `doRead` and `doWrite` and, depending on their results,
        `readConnectionLost` or `connectionLost`, and nothing else (`connection._turn`).""",
    "reactor_asks_for_seconds": """
        A reactor uses its own `seconds` for everything that it schedules.""",
}
"""The behaviour that shortcuts rely on."""

NEEDS: Mapping[str, str] = {
    "tls_connection": """
        `getHandle()` of a transport with TLS is the `OpenSSL.SSL.Connection` that the connection creator
        made, until the connection is lost.""",
    "tls_layer": """
        After `startTLS`, the transport's `protocol` is the TLS layer, and it accepts octets that arrived
        earlier.""",
    "tls_asks_connection": """
        The TLS layer passes received octets to its `SSL.Connection` with `bio_write`, and calls
        `do_handshake` until the handshake is over (`ServerTLS` limits the handshake there).""",
    "tls_handshake_error": """
        An `SSL.Error` from `do_handshake` becomes the reason of `connectionLost`, unchanged (`client_tls`
        puts its explanation there).""",
    "tls_names_its_protocol": """
        When the TLS layer calls the connection creator, its `wrappedProtocol` is already the protocol above
        it (ALPN).""",
    "transport_renamed": """
        Layers over a transport pass on its `getPeer`, `getHost` and all other attributes, also if they were
        set on the instance (`ProxiedFactory`).""",
    "haproxy_layer": """
        Below the protocol of a ``haproxy:`` endpoint is a `HAProxyProtocolWrapper`, whose `transport` leads
        to the proxy.  Its `getPeer` is the proxy's until the header has come, and afterwards the client's if
        the header names one.""",
    "socket_below": """
        The transport of a TCP or Unix socket has its socket in `socket`, and layers pass that on.""",
    "endpoint_address": """
        Client endpoints have their address in `_host` or `_hostText`, `_port` and `_path`, and an inner
        endpoint in `_wrappedEndpoint`.""",
    "twistd_daemonizes": """
        twistd forks in the method `daemonize` of `twisted.scripts._twistd_unix`, and the parent process
        then waits (`service._daemon` makes it wait longer, and end with status 1).""",
    "port_is_a_reader": """
        A port that provides `IReadDescriptor` accepts connections only while it is among the reactor's
        readers (`listening` lets clients wait).""",
    "port_accepts_in_batches": """
        A TCP or Unix port accepts `numberAccepts` connections each time that the reactor calls its `doRead`,
        also if the instance has another `doRead` (`listening` limits them).""",
    "unix_lock": """
        For a Unix socket at ``PATH`` with ``lockfile=1``, the default of endpoints, there is a symbolic
        link ``PATH.lock`` to the number of the listening process (`listening`).""",
    "reactor_waker": """
        A reactor's `waker` is a reader, whose `connectionLost` closes it.  Without one, `wakeUp` does
        nothing (`aio`).""",
    "reactor_is_a_module": """
        The installed reactor is `sys.modules["twisted.internet.reactor"]`, and an attribute of
        `twisted.internet`.  If neither exists, a reactor can be installed (`aio`).""",
    "reactor_crash_stops_loop": """
        `AsyncioSelectorReactor` stops its loop in `crash`, and only there (`aio`).""",
}
"""The behaviour that is always relied on."""

_SWITCH: Final = "MAILPROTO_PLAIN_TWISTED"

_taken = os.environ.get(_SWITCH, "0") in ("", "0")


def shortcuts_are_taken() -> bool:
    """Whether new connections use `SHORTCUTS`."""
    return _taken


def take_shortcuts(taken: bool) -> bool:
    """Use `SHORTCUTS` or not from now on, whatever the environment says; for tests.

    :returns: the value before.
    """
    global _taken
    before, _taken = _taken, taken
    return before


# -- shortcuts

_TRANSPORTS: Final = frozenset({tcp.Server, tcp.Client, unix.Server, unix.Client})
_TLS: Final = frozenset({TLSMemoryBIOProtocol, BufferingTLSTransport})
_METHODS: Final = frozenset(
    {"doRead", "doWrite", "loseConnection", "write", "writeSequence", "writeSomeData"}
)


def transport_below(transport: Any) -> Any:
    """Twisted's own TCP or Unix transport: ``transport`` itself, or the one directly below its TLS.

    Anything else may have to see every octet: a wrapper that logs, throttles or compresses, or a subclass.
    `ProxiedFactory` gives its protocols the transport itself.

    :returns: None for anything else, and if no shortcuts are used.
    """
    if not _taken:
        return None
    if type(transport) in _TLS:
        transport = transport.transport
        if getattr(transport, "TLS", True):  # inside another TLS
            return None
    if type(transport) in _TRANSPORTS and _METHODS.isdisjoint(vars(transport)):
        return transport
    return None


def writer_of(transport: Any) -> Callable[[Sequence[bytes]], object]:
    """A function that sends pieces over ``transport``, one after the other, if possible without waiting for
    the reactor's next turn.

    Get a new function after TLS has started.
    """
    below = transport_below(transport)
    if below is not None:
        layer = below.protocol if below.TLS else transport
        if type(layer) in _TLS:
            return _writer_of_tls(layer) or _writer_by_method(transport)
        if not below.TLS:
            return _writer_of_socket(below)
    return _writer_by_method(transport)


def _writer_by_method(transport: Any) -> Callable[[Sequence[bytes]], object]:
    def write(pieces: Sequence[bytes]) -> None:
        transport.write(_joined(pieces))  # looked up each time, because the method may have been replaced

    return write


_GATHERED: Final = 1 << 16
"""From so many octets on, it takes less time to give the system many pieces than to join them."""

_MOST_PIECES: Final = 1024
"""More than Linux takes at once (IOV_MAX) are joined."""


def _writer_of_socket(transport: Any) -> Callable[[Sequence[bytes]], object]:
    send, gather, replaced = transport.socket.send, transport.socket.sendmsg, vars(transport)

    def write(pieces: Sequence[bytes]) -> None:
        # Data in the transport's buffer must be sent first, and only the transport can encrypt.
        if not (transport._tempDataBuffer or transport.dataBuffer or transport.TLS or "write" in replaced):
            count = len(pieces)
            try:
                if 1 < count <= _MOST_PIECES and sum(map(len, pieces)) >= _GATHERED:
                    sent = gather(pieces)
                else:
                    octets = _joined(pieces)
                    sent = send(octets)
                    if sent == len(octets):  # nearly always
                        return
                    pieces = (octets,)
            except OSError:
                pass  # the socket is full, or has an error, which the transport will get and handle, too
            else:
                pieces = _after(pieces, sent)
                if not pieces:
                    return
        transport.write(_joined(pieces))

    return write


def _joined(pieces: Sequence[bytes]) -> bytes:
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _after(pieces: Sequence[bytes], sent: int) -> Sequence[bytes]:
    """What is left of ``pieces`` after so many octets."""
    for at, piece in enumerate(pieces):
        if sent < len(piece):
            return [piece[sent:], *pieces[at + 1 :]]
        sent -= len(piece)
    return ()


def _writer_of_tls(layer: TLSMemoryBIOProtocol) -> Callable[[Sequence[bytes]], object] | None:
    aggregator = getattr(layer, "_aggregator", None)
    # `BufferingTLSTransport` has its method in `__dict__`, too.
    if vars(layer).get("write") != (None if aggregator is None else aggregator.write):
        return None
    collected, flush = ((), _nothing) if aggregator is None else (aggregator._buffer, aggregator.flush)

    def write(pieces: Sequence[bytes]) -> None:
        if collected:
            flush()
        TLSMemoryBIOProtocol.write(layer, _joined(pieces))

    return write


def _nothing() -> None:
    pass


def keep_time(reactor: Any) -> None:
    """Make a reactor's time steady, even if the system's clock is set.

    Twisted's reactors use `time.time`: if the clock is set back by an hour, each timer fires an hour late.
    From now on, this reactor's time is the current time plus the monotonic time that has passed since then;
    calls that are already scheduled stay right.

    A reactor with its own `seconds` is not changed, and no reactor is if no shortcuts are used.
    """
    if not _taken or not isinstance(reactor, ReactorBase) or "seconds" in vars(reactor):
        return
    if type(reactor).seconds is not ReactorBase.seconds:
        return
    start = time.time() - time.monotonic()
    reactor.seconds = lambda: start + time.monotonic()


# -- needs

_MOST_LAYERS: Final = 16


def tls_connection(transport: Any) -> SSL.Connection | None:
    """The TLS state of a transport; None in plaintext, and after the connection is lost.

    A wrapper that was made before ``startTLS`` is not an `ISSLTransport`, although TLS is below it.
    """
    get_handle = getattr(transport, "getHandle", None)
    handle = None if get_handle is None else get_handle()
    is_tls = isinstance(handle, SSL.Connection) or ISSLTransport.providedBy(transport)
    return cast(SSL.Connection, handle) if is_tls else None


def protocol_above(layer: Any) -> Any:
    """The protocol above a TLS layer; None if there is none yet."""
    return getattr(layer, "wrappedProtocol", None)


def tls_layer(transport: Any) -> TLSMemoryBIOProtocol | None:
    """The TLS layer: the transport itself, or the one that ``startTLS`` added; None without TLS."""
    for layer in (transport, getattr(transport, "protocol", None)):
        if isinstance(layer, TLSMemoryBIOProtocol):
            return layer
    return None


def read_together(
    transport: Any, begin: Callable[[], object], end: Callable[[], object]
) -> Callable[[], object]:
    """Call ``begin`` and ``end`` before and after all that a TLS layer passes on of one read.

    With layers that are not Twisted's own, nothing is called.

    :returns: ends this, because the layer refers to itself meanwhile.
    """
    layer: Any = tls_layer(transport) if transport_below(transport) is not None else None
    if layer is None:
        return _nothing
    pass_on = layer.dataReceived

    def pass_all_on(octets: bytes) -> None:
        begin()
        try:
            pass_on(octets)
        finally:
            end()

    layer.dataReceived = pass_all_on
    return lambda: vars(layer).pop("dataReceived", None)


def accept_at_most(port: Any, number: int) -> None:
    """Have a port accept at most so many connections in one turn of the reactor; Twisted accepts ever more.

    Ports that are not Twisted's own are left alone.
    """
    accept = getattr(port, "doRead", None)
    if accept is None or not hasattr(port, "numberAccepts"):
        return

    def accept_some() -> Any:
        port.numberAccepts = min(port.numberAccepts, number)
        return accept()

    port.doRead = accept_some


def socket_below(transport: Any) -> Any:
    """The socket of a transport; None if it has none."""
    return getattr(transport, "socket", None)


def haproxy_layer(transport: Any) -> Any:
    """What reads the PROXY protocol's header for Twisted's ``haproxy:`` endpoints; None without it."""
    for _ in range(_MOST_LAYERS):
        if transport is None or isinstance(transport, HAProxyProtocolWrapper):
            return transport
        transport = getattr(transport, "transport", None)
    return None


def endpoint_address(endpoint: Any) -> tuple[str, int] | str | None:
    """The address of a client endpoint: host and port, or a Unix socket's path; None if it is not known."""
    while (inner := getattr(endpoint, "_wrappedEndpoint", None)) is not None:
        endpoint = inner
    path = getattr(endpoint, "_path", None)
    if path:
        return path.decode(errors="replace") if isinstance(path, bytes) else str(path)
    host = getattr(endpoint, "_hostText", None) or getattr(endpoint, "_host", None)
    port = getattr(endpoint, "_port", None)
    return (host, port) if isinstance(host, str) and isinstance(port, int) else None


def close_waker(reactor: Any) -> None:
    """Close the pipe by which other threads and signals wake up a reactor that has ended."""
    waker, reactor.waker = reactor.waker, None
    if waker is not None:
        reactor.removeReader(waker)
        waker.connectionLost(None)


def uninstall_reactor(reactor: object) -> None:
    """Undo ``installReactor(reactor)``, so that another one can be installed."""
    if sys.modules.get("twisted.internet.reactor") is reactor:
        del sys.modules["twisted.internet.reactor"]
        del twisted.internet.reactor


def is_daemonizing(frame: FrameType) -> bool:
    """Whether this is the frame of the function in which twistd forks."""
    module = frame.f_globals.get("__name__")
    return module == "twisted.scripts._twistd_unix" and frame.f_code.co_name == "daemonize"
