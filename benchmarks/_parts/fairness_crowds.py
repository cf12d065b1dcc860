"""More rows of `fairness.py`: many connections at once, most of them before login."""

from __future__ import annotations

import selectors
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from _parts.fairness_mail import Scale
from _parts.fairness_rows import row
from _parts.hostile import Client, IMAPClient, POP3Client, SMTPClient, Target, address
from _parts.program import WrongAnswer

BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE


# -- endless commands


def flood(target: Target, clients: Sequence[Client], octets: bytes) -> None:
    """All ``clients`` send ``octets`` again and again, and read the replies."""
    many = octets * (60_000 // len(octets) or 1)
    until = time.monotonic() + target.flood_seconds
    left = {client: memoryview(many) for client in clients}
    with selectors.DefaultSelector() as selector:
        for client in clients:
            client.socket.setblocking(False)
            selector.register(client, BOTH, client)
        while left and time.monotonic() < until:
            for key, events in selector.select(0.1):
                client = key.data
                try:
                    if events & selectors.EVENT_READ and not client.socket.recv(1 << 18):
                        raise ConnectionError
                    if events & selectors.EVENT_WRITE:
                        sent = client.socket.send(left[client])
                        left[client] = left[client][sent:] or memoryview(many)
                except BlockingIOError:
                    pass
                except OSError:  # it has been turned away
                    selector.unregister(client)
                    del left[client]


def _endless(name: str, text: str, make: Callable[[Target], Client], octets: bytes, *needs: str) -> None:
    def add(number: int) -> None:
        @row(f"{name}-{number}", f"endless {text} from {number}", needs=needs or None)
        def attack(target: Target, scale: Scale) -> Iterator[None]:
            clients = [make(target) for _ in range(number)]
            yield
            flood(target, clients, octets)

    for number in (1, 10, 100):
        add(number)


_RCPTS = b"MAIL FROM:<x@example.net>\r\n" + b"RCPT TO:<bob@example.org>\r\n" * 99 + b"RSET\r\n"

_endless("noop-flood", "NOOP (IMAP) before login", IMAPClient, b"a NOOP\r\n", "imap")
_endless("capa-flood", "CAPA (POP3) before login", POP3Client, b"CAPA\r\n", "imap", "pop3")
_endless("rcpt-flood", "RCPT", lambda target: SMTPClient(target, "smtp"), _RCPTS)


@row("single-octets", "endless NOOP in packets of one octet from 20")
def _single_octets(target: Target, scale: Scale) -> Iterator[None]:
    clients = [IMAPClient(target) for _ in range(20)]
    for client in clients:
        client.socket.setblocking(False)
    yield
    until = time.monotonic() + target.flood_seconds
    while time.monotonic() < until:
        for octet in (b"a", b" ", b"N", b"O", b"O", b"P", b"\r", b"\n"):
            for client in clients:
                with suppress(OSError):
                    client.socket.send(octet)
        for client in clients:
            with suppress(OSError):
                client.socket.recv(1 << 16)


# -- connections


@row("hang-ups", "1,000 connections that hang up at once", linger=1)
def _hang_ups(target: Target, scale: Scale) -> Iterator[None]:
    yield
    for _ in range(scale(1000, 100)):
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", target.ports["imap"]), target.seconds_left()).close()


@row("arrivals", "1,000 connections at once, which then hang up together")
def _arrivals(target: Target, scale: Scale) -> Iterator[None]:
    yield
    for _ in range(scale(1000, 100)):
        arrival = socket.socket()
        arrival.setblocking(False)
        with suppress(BlockingIOError):
            arrival.connect(("127.0.0.1", target.ports["imap"]))
        target.clients.append(arrival)
    time.sleep(target.flood_seconds)
    target.end()


@row("handshakes", "200 TLS handshakes at once", needs=("imap", "imaps"))
def _handshakes(target: Target, scale: Scale) -> Iterator[None]:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    clients = set()
    for _ in range(scale(200, 20)):
        plain = socket.create_connection(("127.0.0.1", target.ports["imaps"]), 120)
        plain.setblocking(False)
        client = context.wrap_socket(plain, do_handshake_on_connect=False)
        target.clients.append(client)
        clients.add(client)
    yield
    with selectors.DefaultSelector() as selector:
        for client in clients:
            with suppress(ssl.SSLWantReadError):
                client.do_handshake()
            selector.register(client, selectors.EVENT_READ, client)
        while clients:
            for key, _ in selector.select(target.seconds_left()):
                try:
                    key.data.do_handshake()
                except ssl.SSLWantReadError:
                    continue
                except OSError as error:
                    if target.is_checked:
                        raise WrongAnswer(f"a TLS handshake failed: {error}") from error
                selector.unregister(key.data)
                clients.discard(key.data)


@row("idlers", "3,000 idle connections; another fetches", "few", needs=None)
def _idlers(target: Target, scale: Scale) -> Iterator[None]:
    for _ in range(scale(3000, 100)):
        IMAPClient(target)
    client = IMAPClient(target, "few")
    client.do("SELECT INBOX")
    yield
    for _ in range(scale(60, 5)):
        client.do(*["FETCH 1:* (UID FLAGS ENVELOPE)"] * 10)


# -- passwords


def try_passwords(target: Target, sources: Sequence[str]) -> None:
    """From each of ``sources`` (addresses) a connection tries wrong passwords of one account by POP3."""
    until = time.monotonic() + target.flood_seconds
    line = f"USER {address('bob')}\r\nPASS wrong\r\n".encode()
    with selectors.DefaultSelector() as selector:

        def begin(source: str) -> None:
            connection = socket.socket()
            connection.bind((source, 0))
            connection.setblocking(False)
            with suppress(BlockingIOError):
                connection.connect(("127.0.0.1", target.ports["pop3"]))
            target.clients.append(connection)
            selector.register(connection, selectors.EVENT_READ, source)

        for source in sources:
            begin(source)
        while time.monotonic() < until:
            for key, _ in selector.select(0.1):
                connection: Any = key.fileobj
                try:
                    replies = connection.recv(4096)
                    # The greeting, or a refusal: not the reply to USER alone.
                    if b"-ERR" in replies or (replies.count(b"\n") == 1 and b"ready" in replies):
                        connection.send(line)
                except OSError:
                    replies = b""
                if not replies:  # it has failed too often
                    selector.unregister(connection)
                    connection.close()
                    target.clients.remove(connection)
                    begin(key.data)


def _passwords(name: str, text: str, number: int, source: Callable[[int], str]) -> None:
    what = f"wrong passwords from {number} connections, {text}; others sign in"

    @row(name, what, beside="login", needs=("imap", "pop3"))
    def attack(target: Target, scale: Scale) -> Iterator[None]:
        yield
        try_passwords(target, [source(each) for each in range(scale(number, 20))])


_passwords("passwords-200", "one address", 200, lambda _: "127.0.0.9")
_passwords("passwords-700", "one address", 700, lambda _: "127.0.0.9")
_passwords("passwords-200-addresses", "each its own address", 200, lambda each: f"127.1.0.{each + 1}")
