"""What others say, shown so that it does nothing to its reader."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.client.errors import CommandRefused, ProtocolViolation
from mailproto.errors import MailError, Refused
from mailproto.printable import MAX_SHOWN, printable
from mailproto.smtp.errors import outcome_of
from mailproto.smtp.wire import Reply
from mailproto.smtp.wire._reply import MAX_PASSED_LINES

HOSTILE = "a\x1b[2J\x9b31m\r\nSep 1 root: \u202eevil\u2066\u200b\u2028\ufeff\ud800\U000e0041\ue000b"
SHOWN = r"a\x1b[2J\x9b31m\r\nSep 1 root: \u202eevil\u2066\u200b\u2028\ufeff\ud800\U000e0041\ue000b"


class PrintableTests(SynchronousTestCase):
    def test_plain_text_stays(self) -> None:
        for text in ("", "OK", "Grüß dich", "日本語 ✉", r"C:\temp", "a'b\"c"):
            self.assertEqual(printable(text), text)
            self.assertEqual(printable(text.encode()), text)

    def test_hostile_text(self) -> None:
        self.assertEqual(printable(HOSTILE), SHOWN)

    def test_octets_that_are_no_text(self) -> None:
        self.assertEqual(printable(b"\xff\xe2\x80a \xed\xa0\x80 \x1b"), r"\xff\xe2\x80a \xed\xa0\x80 \x1b")

    def test_spaces(self) -> None:
        self.assertEqual(printable("a\tb\xa0c\u3000d"), "a b c d")

    def test_length(self) -> None:
        for text in ("x" * MAX_SHOWN, "ü" * MAX_SHOWN):
            self.assertEqual(printable(text), text)
            self.assertEqual(printable(text.encode()), text)
        for text in ("x" * (MAX_SHOWN + 1), "\u202e" * MAX_SHOWN, "😀" * 10**6, "\x1b" * 10**6):
            for given_text in (text, text.encode()):
                shown = printable(given_text)
                self.assertEqual((len(shown), shown[-3:]), (MAX_SHOWN, "..."))
        self.assertEqual(printable("abcdef", 5), "ab...")

    @settings(max_examples=500, deadline=None)
    @given(st.text() | st.binary() | st.text("\x1b\u202eaü \t\ud800"), st.integers(3, 40))
    def test_anything(self, text: str | bytes, limit: int) -> None:
        shown = printable(text, limit)
        self.assertLessEqual(len(shown), limit)
        self.assertTrue(shown.isprintable())
        self.assertFalse({unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
        self.assertEqual(printable(shown, limit), shown)
        shown.encode()


class ExceptionTests(SynchronousTestCase):
    """Whatever it is made of, an exception can be logged."""

    def test_a_servers_words(self) -> None:
        octets = HOSTILE.encode("utf-8", "surrogatepass")
        for reply in (Reply(550, (b"5.1.1 " + octets,)), Reply(550, (octets,) * 400), Reply(250, (octets,))):
            for error in (
                CommandRefused(reply=reply),
                ProtocolViolation(f"said {reply}", reply=reply),
                ProtocolViolation(HOSTILE * 100),
            ):
                for text in (str(error), str(error.args[0]), str(reply)):
                    self.assertTrue(text.isprintable(), text)
                    self.assertLess(len(text), MAX_SHOWN + 50)
                for answer in (error.text, outcome_of(error).text):  # a reply that is passed on has its lines
                    for line in answer.split("\n"):
                        self.assertTrue(line.isprintable(), line)
                    self.assertLess(len(answer), MAX_PASSED_LINES * (MAX_SHOWN + 1))

    def test_a_clients_words(self) -> None:
        for error in (MailError(detail=HOSTILE), Refused(550, "5.7.1", "No", detail=HOSTILE * 1000)):
            self.assertTrue(str(error).isprintable())
            self.assertLessEqual(len(str(error)), MAX_SHOWN)
