"""Answers that were seen in public reports, replayed: see `tests/imap/client/seen/README.md` for the form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.ssl import CertificateOptions
from twisted.python.failure import Failure

from mailproto.auth import Password
from mailproto.client.errors import AuthenticationRefused
from mailproto.pop3.wire import Reply
from tests.pop3.client.dialogue import PLAIN, ClientTestCase
from tests.seen import Seen, differences

DATA = Path(__file__).parent / "seen"
ALICE = Password("alice", "secret")


class SeenTests(ClientTestCase):
    def check(self, kind: str, made: Callable[[Seen], str]) -> None:
        self.assertEqual(differences(DATA / f"{kind}.txt", made), "")

    def test_greetings(self) -> None:
        self.check("greetings", self.greeting)

    def greeting(self, row: Seen) -> str:
        """The timestamp for APOP."""
        self.connect()
        self.transport.send(row.said + b"\r\n")
        assert self.client.is_usable
        return self.client._session.timestamp or "no timestamp"

    def test_logins(self) -> None:
        self.check("logins", self.login)

    def login(self, row: Seen) -> str:
        """How the client has signed in, or why not."""
        client = self.connect()
        client.capa()
        done = client.authenticate(ALICE)
        ends = "\nC closes" if row.expected == "ProtocolViolation" else ""
        self.converse(row.dialogue + ends)
        if isinstance(done.result, str):
            return str(self.result(done))
        error = self.error(done, Exception)
        if not isinstance(error, AuthenticationRefused):
            return type(error).__name__
        assert isinstance(error.reply, Reply)
        kind = "permanent" if error.is_permanent else "passing"
        return f"{' '.join(filter(None, [kind, error.reply.code]))}: {error}"

    def test_answers(self) -> None:
        self.check("answers", self.answer)

    def answer(self, row: Seen) -> str:
        """What the call returns, as text."""
        client = self.connect(PLAIN)
        calls: dict[str, Callable[[], Any]] = {
            "STAT": client.stat,
            "LIST": client.list,
            "UIDL": client.uidl,
            "UIDL 1": lambda: client.uidl(1),
            "RETR 1": lambda: client.retr(1),
            "DELE 1": lambda: client.dele(1),
            "STLS": lambda: client.starttls(CertificateOptions()),
            "QUIT": client.commit,
        }
        done = calls[row.service]()
        self.transport.send(row.said + b"\r\n")
        if isinstance(done.result, Failure):
            error = self.error(done, Exception)
            return f"{type(error).__name__}: {error}"
        found = self.result(done)
        if found is None:
            return "done"
        if isinstance(found, bytes):
            return found.decode().strip()
        if isinstance(found, tuple):
            return "{} messages, {} octets".format(*found)
        return "\n".join(f"{number} {value}" for number, value in found.items())
