"""What `fairness.py` looks at while a server is attacked: how long others wait, and how its memory grows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count

from _parts.fairness_mail import NEWCOMERS
from _parts.hostile import IMAPClient, SMTPClient, Target, address
from _parts.program import expect

__all__ = ["BESIDES", "Act", "Memory", "says_noop"]

Act = Callable[[], object]
"""Asks once, and waits for the answer."""


def says_noop(port: int) -> Act:
    """One NOOP of Bob's."""
    target = Target({"imap": port}, True, 600, 0)
    target.begin()
    client = IMAPClient(target, "bob")

    def act() -> None:
        target.begin()
        client.do("NOOP")

    return act


def delivers(port: int) -> Act:
    """One message for Bob."""
    target = Target({"lmtp": port}, True, 600, 0)
    target.begin()
    client = SMTPClient(target, "lmtp")

    def act() -> None:
        target.begin()
        client.send(b"MAIL FROM:<x@example.net>\r\nRCPT TO:<%b>\r\nDATA\r\n" % address("bob").encode())
        replies = [client.reply(), client.reply(), client.reply()]
        client.send(b"Subject: hello\r\n\r\nhello\r\n.\r\n")
        expect(f"replies {replies}", [reply[:3] for reply in replies], [b"250", b"250", b"354"])
        expect("reply to a message", client.reply()[:3], b"250")

    return act


def signs_in(port: int) -> Act:
    """One login of an account that has not signed in before."""
    target = Target({"imap": port}, True, 600, 0)
    numbers = count()

    def act() -> None:
        target.begin()
        IMAPClient(target, f"new{next(numbers) % NEWCOMERS}").close()
        target.clients.clear()

    return act


def selects(port: int) -> Act:
    """One SELECT of Bob's."""
    target = Target({"imap": port}, True, 600, 0)
    target.begin()
    client = IMAPClient(target, "bob")

    def act() -> None:
        target.begin()
        client.do("SELECT INBOX")

    return act


BESIDES: dict[str, tuple[str, Callable[[int], Act]]] = {
    "delivery": ("lmtp", delivers),
    "SELECT": ("imap", selects),
    "login": ("imap", signs_in),
}
"""What others do besides: with which protocol, and what makes it of its port."""


class Memory:
    """How the memory of a process grows."""

    def __init__(self, pid: int) -> None:
        self._folder = f"/proc/{pid}"
        with suppress(OSError), open(f"{self._folder}/clear_refs", "w") as file:
            file.write("5")  # the highest value is that of now
        self._before = self._value("VmRSS")

    def growth(self) -> float:
        """The most so far."""
        return self._value("VmHWM") - self._before

    def left(self) -> float:
        """What it is now."""
        return self._value("VmRSS") - self._before

    def _value(self, name: str) -> float:
        with open(f"{self._folder}/status") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith(f"{name}:"))
