"""INPROGRESS (RFC 9585): a long command tells how far it is."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.defer import Deferred

from mailproto.imap.server import _progress
from mailproto.imap.server._progress import EVERY
from tests.imap.server.dialogue import DialogueTestCase, run


class InProgressTests(DialogueTestCase):
    def search(self, seconds: float) -> list[bytes]:
        """SEARCH of content; the clock goes on by so much whenever somebody looks."""
        self.fill(40)
        client = self.sign_in(select="INBOX")
        self.slow_clock(seconds)
        client.send(b'long SEARCH BODY "no such words"\r\n')
        answer = b""
        while b"long OK" not in answer:
            self.clock.advance(0)
            answer += client.received()
        return answer.split(b"\r\n")

    def test_how_far_it_is(self) -> None:
        *told, answer, done, _ = self.search(EVERY / 20)
        self.assertEqual((answer, done), (b"* SEARCH", b"long OK SEARCH completed"))
        progress = []
        for line in told:
            match = re.fullmatch(rb'\* OK \[INPROGRESS \("long" (\d+) 40\)\] Still working', line)
            self.assertTrue(match, line)
            assert match is not None
            progress.append(int(match[1]))
        self.assertGreater(len(progress), 1)
        self.assertEqual(progress, sorted(set(progress)))
        self.assertLess(progress[-1], 40)

    def test_a_quick_search_says_nothing(self) -> None:
        self.assertEqual(self.search(EVERY / 10_000), [b"* SEARCH", b"long OK SEARCH completed", b""])

    def test_what_the_mailbox_does(self) -> None:
        """How far that is, only the mailbox knows."""
        self.patch(_progress, "_MANY", 4)
        self.fill(5, flags=["\\Deleted"])
        for method, command in (
            ("store", "STORE 1:* +FLAGS.SILENT (\\Seen)"),
            ("copy", "COPY 1:* Trash"),
            ("sort", "SORT (SUBJECT) UTF-8 ALL"),
            ("thread", "THREAD REFERENCES UTF-8 ALL"),
            ("move", "MOVE 1:* Trash"),
            ("expunge", "EXPUNGE"),
            ("expunge", "UID EXPUNGE 1:*"),
        ):
            client = self.sign_in(select="INBOX")
            gate: Deferred[None] = Deferred()
            work = getattr(type(self.inbox), method)

            async def slow(
                *arguments: Any, gate: Deferred[None] = gate, work: Any = work, **more: Any
            ) -> Any:
                await gate
                return await work(*arguments, **more)

            patched = self.patch_method(self.inbox, method, slow)
            client.send(f"w {command}\r\n".encode())
            self.clock.advance(EVERY - 1)
            self.assertEqual(client.received(), b"", command)
            told = b'* OK [INPROGRESS ("w" NIL NIL)] Still working\r\n'
            for _ in range(3):
                self.clock.advance(EVERY)
                self.assertEqual(client.received(), told, command)
            client.transport.drop() if command == "EXPUNGE" else None
            gate.callback(None)
            patched.restore()
            for _ in range(20):
                self.clock.advance(0)
            if command != "EXPUNGE":
                self.assertIn(b"w OK ", client.received(), command)
            if not run(self.inbox.status()).messages:
                self.fill(5, flags=["\\Deleted"])

    def test_few_messages_need_no_timer(self) -> None:
        self.fill(5)
        client = self.sign_in(select="INBOX")
        before = len(self.clock.getDelayedCalls())
        gate: Deferred[None] = Deferred()

        async def slow(*arguments: Any) -> Any:
            await gate

        self.patch_method(self.inbox, "copy", slow)
        client.send(b"w COPY 1:* Trash\r\n")
        self.assertLessEqual(len(self.clock.getDelayedCalls()), before)
        gate.callback(None)
