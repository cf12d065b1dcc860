"""INPROGRESS (RFC 9585): a long search tells how far it is."""

from __future__ import annotations

import re

from mailproto.imap.server._progress import EVERY
from tests.imap.server.dialogue import DialogueTestCase


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
