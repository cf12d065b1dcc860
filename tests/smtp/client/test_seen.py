"""Answers that were seen in public reports, replayed: see `tests/imap/client/seen/README.md` for the form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from mailproto.auth import Password, Token
from mailproto.smtp.wire import Capabilities
from tests.seen import Seen, differences
from tests.smtp.client.dialogue import ALICE, PIPELINING, PLAIN, SENDER, TEXT, ClientTestCase

DATA = Path(__file__).parent / "seen"


class SeenTests(ClientTestCase):
    def check(self, kind: str, made: Callable[[Seen], str]) -> None:
        self.assertEqual(differences(DATA / f"{kind}.txt", made), "")

    def error_in(self, done: Deferred[Any]) -> str:
        error = self.error(done, Exception)
        return f"{type(error).__name__}: {error}"

    def test_hellos(self) -> None:
        self.check("hellos", self.hello)

    def hello(self, row: Seen) -> str:
        """The extensions, with what is behind their names."""
        self.connect()
        done = self.client.ehlo()
        self.converse(row.dialogue)
        if not isinstance(done.result, Capabilities):
            return self.error_in(done)
        found = self.result(done).keywords
        words = [f"{name}({' '.join(found[name])})" if found[name] else name for name in sorted(found)]
        return " ".join(words) or "nothing"

    def test_logins(self) -> None:
        self.check("logins", self.login)

    def login(self, row: Seen) -> str:
        """How the client has signed in, or why not."""
        client = self.connect()
        client.ehlo()
        done = client.authenticate(
            Token("alice", "x") if "AUTH XOAUTH2 " in row.dialogue else Password("alice", "secret")
        )
        self.converse(row.dialogue)
        return str(self.result(done)) if isinstance(done.result, str) else self.error_in(done)

    def test_sends(self) -> None:
        self.check("sends", self.send)

    def send(self, row: Seen) -> str:
        """What has become of the message."""
        is_pipelined = row.dialogue.splitlines()[1].startswith("C:")
        client = self.connect(PIPELINING if is_pipelined else PLAIN)
        done = client.send(SENDER, [ALICE], TEXT)
        quit_ = client.quit() if "C: QUIT" in row.dialogue else None
        self.converse(row.dialogue)
        if quit_ is not None:
            self.assertIsNone(self.result(quit_))
        (outcome,) = self.result(done)
        return f"{outcome.code} {outcome.enhanced} {outcome.text}".strip()
