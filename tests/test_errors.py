"""Refusals that could not be told to a client are refused when they are made."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailproto.errors import MailError, NoSuchMailbox, Refused
from tests.arguments import assert_refused


class RefusedTests(SynchronousTestCase):
    def test_wrong_arguments(self) -> None:
        code = "code must be a reply code from 400 to 599, not "
        enhanced = "enhanced must be an enhanced status code such as '5.7.1', not "
        for line, values in (
            (f"{enhanced}'5.1'", (550, "5.1", "x")),
            (f"{enhanced}'4.7.1'", (550, "4.7.1", "x")),
            (f"{enhanced}'5.7.1 '", (550, "5.7.1 ", "x")),
            (f"{enhanced}'5.7.1\\n'", (550, "5.7.1\n", "x")),
            (f"{enhanced}'5.7.٣'", (550, "5.7.٣", "x")),
            (f"{enhanced}'no'", (550, "no", "x")),
            (f"{code}250", (250, "2.0.0", "x")),
            (f"{code}600", (600, "6.0.0", "x")),
            (f"{code}'550'", ("550", "5.7.1", "x")),
            ("text must be a str, not None", (550, "5.7.1", None)),
            ("text must be a str, not b'x'", (550, "5.7.1", b"x")),
        ):
            with self.subTest(values=values):
                assert_refused(self, line, Refused, *values)
        assert_refused(self, "detail must be a str, not 3", Refused, 550, "5.7.1", "x", detail=3)

    def test_what_is_right_is_kept(self) -> None:
        error = Refused(450, "4.7.1", "Später\nvielleicht", detail="a\nb")
        self.assertEqual((error.code, error.enhanced, error.text), (450, "4.7.1", "Später\nvielleicht"))


class MailErrorTests(SynchronousTestCase):
    def test_every_error_has_texts(self) -> None:
        assert_refused(self, "text must be a str, not KeyError('x')", NoSuchMailbox, KeyError("x"))
        assert_refused(self, "detail must be a str, not KeyError('x')", NoSuchMailbox, detail=KeyError("x"))

    def test_a_class_that_is_no_refusal(self) -> None:
        def define(**attributes: Any) -> None:
            type("Odd", (MailError,), attributes)

        define(code=550, enhanced="5.7.1")
        assert_refused(self, "enhanced must be an enhanced status code such as '5.7.1'...", define, code=550)
        assert_refused(
            self, "code must be a reply code from 400 to 599, not 250", define, code=250, enhanced="2.0.0"
        )
        assert_refused(self, "text must be a str, not b'No'", define, default_text=b"No")
