"""More rows of `fairness.py`: many sessions of one account, which make the server keep much for them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress

from _parts.fairness_mail import Scale
from _parts.fairness_rows import row
from _parts.hostile import IMAPClient, POP3Client, Target


@row("views", "50 sessions that have selected one mailbox, 102,000 messages", "many")
def _views(target: Target, scale: Scale) -> Iterator[None]:
    clients = [IMAPClient(target, "many") for _ in range(50)]
    yield
    for client in clients:
        client.give("SELECT INBOX")
    for client in clients:
        client.answers(1)


@row("views-changed", "the same, and each changes a message before the next one begins", "many", changes=True)
def _views_changed(target: Target, scale: Scale) -> Iterator[None]:
    clients = [IMAPClient(target, "many") for _ in range(50)]
    yield
    for number, client in enumerate(clients, 1):
        client.do("SELECT INBOX", f"STORE {number} +FLAGS.SILENT (\\Flagged)")
    for client in clients:
        client.do("NOOP")


@row("maildrops", "50 sessions of POP3 with one maildrop, 102,000 messages", "many", needs=("imap", "pop3"))
def _maildrops(target: Target, scale: Scale) -> Iterator[None]:
    yield
    for _ in range(50):
        POP3Client(target, "many").do("STAT")


def _unread(name: str, text: str, account: str, command: str, number: int) -> None:
    """``number`` sessions that give a command, and do not read the answer."""

    @row(name, f"{text}, {number} sessions that do not read", account, needs=None)
    def attack(target: Target, scale: Scale) -> Iterator[None]:
        clients = [IMAPClient(target, account) for _ in range(number)]
        for client in clients:
            client.do("SELECT INBOX")
        yield
        for client in clients:
            client.give(command)
        time.sleep(target.flood_seconds)


_ALL = "FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE BODY BODY.PEEK[HEADER] BODY.PEEK[])"

_unread("unread-mixed", "FETCH of everything, messages of many sizes", "mixed", _ALL, 50)
_unread("unread-whole", "FETCH of whole messages", "mixed", "FETCH 1:* BODY.PEEK[]", 50)
_unread("unread-structures", "FETCH of large structures", "structures", "FETCH 1:* BODYSTRUCTURE", 50)
_unread("unread-rows", "FETCH of ENVELOPE, subjects of 250 KB", "subjects", "FETCH 1:* ENVELOPE", 50)
_unread("unread-names", "LIST of long names", "names", 'LIST "" (* %) RETURN (SUBSCRIBED)', 20)
_unread("unread-subscribed", "LSUB of long names", "names", 'LSUB "" %', 20)
_unread("unread-search", "SEARCH, 102,000 messages", "many", "SEARCH ALL", 50)


@row("half-handshakes", "2,000 TLS handshakes that are not finished", needs=("imap", "imaps"))
def _half_handshakes(target: Target, scale: Scale) -> Iterator[None]:
    yield
    for _ in range(scale(2000, 20)):
        with suppress(OSError):  # it is turned away
            client = socket.create_connection(("127.0.0.1", target.ports["imaps"]), target.seconds_left())
            target.clients.append(client)
            client.sendall(b"\x16\x03\x01\x28\x00\x01\x00\x27\xfc\x03\x03" + b"x" * 200)
    time.sleep(target.flood_seconds)
