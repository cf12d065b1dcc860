"""The parameters of MAIL and RCPT as typed values."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.smtp.wire import (
    MAX_ENVELOPE_ID,
    MAX_ORIGINAL_RECIPIENT,
    DeliverBy,
    MailOptions,
    Notify,
    OriginalRecipient,
    RcptOptions,
    Returned,
    decode_xtext,
    encode_xtext,
    mail_options,
    rcpt_options,
)

_KEYWORDS = {"SIZE", "BODY", "AUTH", "RET", "ENVID", "BY", "MT-PRIORITY", "HOLDFOR", "HOLDUNTIL"}


class XtextTests(SynchronousTestCase):
    def test_what_is_encoded(self) -> None:
        self.assertEqual(encode_xtext(b"a+b=c d~\x00\xff"), "a+2Bb+3Dc+20d~+00+FF")

    def test_what_is_no_xtext(self) -> None:
        for text in ("+", "+2", "+2b", "+2G", "a=b", "a b", "\x7f", "é", "+ 2", "a+"):
            with self.assertRaises(ValueError, msg=text):
                decode_xtext(text)

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=40))
    def test_there_and_back(self, octets: bytes) -> None:
        text = encode_xtext(octets)
        self.assertRegex(text, r"\A(?:[!-*,-<>-~]|\+[0-9A-F]{2})*\Z")
        self.assertEqual(decode_xtext(text), octets)


class MailOptionTests(SynchronousTestCase):
    def test_nothing_is_said(self) -> None:
        self.assertEqual(mail_options({}), MailOptions())

    def test_everything_is(self) -> None:
        parameters = {
            "SIZE": "10", "BODY": "8bitMime", "SMTPUTF8": None, "AUTH": "a+2Bb@c", "RET": "hdrs",
            "ENVID": "x+20y", "REQUIRETLS": None, "BY": "120;rT", "MT-PRIORITY": "-9", "HOLDFOR": "60",
            "OTHER": "1",
        }  # fmt: skip
        self.assertEqual(
            mail_options(parameters),
            MailOptions(
                size=10,
                body="8BITMIME",
                utf8=True,
                submitter="a+b@c",
                returned=Returned.HEADERS,
                envelope_id="x y",
                require_tls=True,
                deliver_by=DeliverBy(120, returned=True, trace=True),
                priority=-9,
                hold_for=60,
            ),
        )

    def assert_read(self, keyword: str, value: str | None, **field: Any) -> None:
        self.assertEqual(mail_options({keyword: value}), MailOptions(**field))

    def assert_bad(self, keyword: str, *values: str | None) -> None:
        for value in values:
            with self.assertRaises(ValueError, msg=f"{keyword}={value}"):
                mail_options({keyword: value})

    def test_size(self) -> None:
        self.assert_bad("SIZE", None, "x", "-1", "+1", "1" * 21, "٣", "1.0")

    def test_body(self) -> None:
        self.assert_read("BODY", "binarymime", body="BINARYMIME")
        self.assert_bad("BODY", None, "9BIT")

    def test_words_that_stand_alone(self) -> None:
        self.assert_bad("SMTPUTF8", "1")
        self.assert_bad("REQUIRETLS", "yes")

    def test_submitter(self) -> None:
        self.assert_read("AUTH", "<>", submitter="<>")
        self.assert_read("AUTH", "+C3+A9@c", submitter="é@c")
        self.assert_bad("AUTH", None, "+", "+2b", "+FF")

    def test_notification(self) -> None:
        self.assert_read("RET", "Full", returned=Returned.FULL)
        self.assert_bad("RET", None, "ALL", "HDRS,FULL")
        self.assert_bad("ENVID", None, "+0A", "+C3+A9", "+zz", "é", "x" * (MAX_ENVELOPE_ID + 1))
        self.assert_read("ENVID", "x" * MAX_ENVELOPE_ID, envelope_id="x" * MAX_ENVELOPE_ID)

    def test_deliver_by(self) -> None:
        for value, seconds in (("-5;N", -5), ("+0;n", 0), ("999999999;N", 999_999_999)):
            self.assert_read("BY", value, deliver_by=DeliverBy(seconds, returned=False, trace=False))
        self.assert_bad(
            "BY", None, "5", "5;", ";R", "0;R", "-1;RT", "5;X", "5;T", "5;TR",
            "1234567890;N", "--5;N", "5;N;T", "٣;N"
        )  # fmt: skip
        self.assertEqual(str(DeliverBy(-5, returned=False, trace=True)), "-5;NT")
        self.assertEqual(str(DeliverBy(60, returned=True, trace=False)), "60;R")

    def test_priority(self) -> None:
        for priority in range(-9, 10):
            self.assert_read("MT-PRIORITY", str(priority), priority=priority)
        self.assert_bad("MT-PRIORITY", None, "10", "-10", "-0", "+1", "01", "x", "٣")

    def test_hold(self) -> None:
        self.assert_read("HOLDUNTIL", "2001-09-09t01:46:40z", hold_until=1_000_000_000)
        self.assert_read("HOLDUNTIL", "2001-09-09T03:46:40.5+02:00", hold_until=1_000_000_000)
        self.assert_bad("HOLDFOR", None, "0", "01", "-1", "1234567890", "x", "٣")
        self.assert_bad(
            "HOLDUNTIL", None, "2001-09-09", "2001-02-30T00:00:00Z", "2001-09-09T01:46:40",
            "2001-09-09T25:00:00Z",
            "2001-09-09 01:46:40Z", "0000-01-01T00:00:00Z", "2001-W01-1T00:00:00Z", "20010909T014640Z",
        )  # fmt: skip
        with self.assertRaises(ValueError):
            mail_options({"HOLDFOR": "1", "HOLDUNTIL": "2001-09-09T01:46:40Z"})

    @settings(max_examples=200, deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from(sorted(_KEYWORDS)),
            st.none() | st.text(max_size=30) | st.text("0123456789-+:;TZNRtznr.", max_size=30),
        )
    )
    def test_nothing_else_is_raised(self, parameters: dict[str, str | None]) -> None:
        try:
            mail_options(parameters)
        except ValueError as error:
            self.assertTrue(str(error).isascii())


class RcptOptionTests(SynchronousTestCase):
    def assert_bad(self, keyword: str, *values: str | None) -> None:
        for value in values:
            with self.assertRaises(ValueError, msg=f"{keyword}={value}"):
                rcpt_options({keyword: value})

    def test_notify(self) -> None:
        for value, notify, again in (
            ("never", Notify.NEVER, "NEVER"),
            ("Success", Notify.SUCCESS, "SUCCESS"),
            ("DELAY,failure", Notify.FAILURE | Notify.DELAY, "FAILURE,DELAY"),
            ("SUCCESS,SUCCESS", Notify.SUCCESS, "SUCCESS"),
        ):
            self.assertEqual(rcpt_options({"NOTIFY": value}), RcptOptions(notify=notify))
            self.assertEqual(str(notify), again)
        self.assert_bad(
            "NOTIFY", None, "", "NEVER,DELAY", "SUCCESS,NEVER", "SUCCESS,", ",", "SOMETIMES", "SUCCESS DELAY"
        )

    def assert_original(self, value: str, kind: str, address: str) -> None:
        self.assertEqual(
            rcpt_options({"ORCPT": value}), RcptOptions(original=OriginalRecipient(kind, address))
        )

    def test_original_recipients(self) -> None:
        self.assert_original("rfc822;a+2Bb@c", "rfc822", "a+b@c")
        self.assert_original("RFC822;+22a+20b+22@c", "rfc822", '"a b"@c')
        self.assert_original("x400;/c=de/".replace("=", "+3D"), "x400", "/c=de/")
        self.assertEqual(str(OriginalRecipient("rfc822", "a+b=@c")), "rfc822;a+2Bb+3D@c")

    def test_international_ones(self) -> None:
        """RFC 6533 3: all three forms mean the same."""
        self.assert_original("utf-8;\\x{E9}@b", "utf-8", "é@b")
        self.assert_original("UTF-8;é@b", "utf-8", "é@b")
        self.assert_original("utf-8;\\x{1F600}\\x{2B}\\x{5C}@é", "utf-8", "😀+\\@é")
        self.assertEqual(str(OriginalRecipient("utf-8", "é+\\=@b")), "utf-8;\\x{E9}\\x{2B}\\x{5C}\\x{3D}@b")

    def test_what_is_none(self) -> None:
        self.assert_bad(
            "ORCPT", None, "a@b", "rfc822", "rfc822;", ";a@b", "rfc822;+2b", "rfc822;é@b", "rfc822;+C3",
            "rfc822;a+0Db",
            "a b;c", "rfc822;" + "x" * MAX_ORIGINAL_RECIPIENT, "x" * 41 + ";a@b",
            "utf-8;", "utf-8;\\",
            "utf-8;a+2B", "utf-8;\\x{e9}", "utf-8;\\x{D800}", "utf-8;\\x{110000}", "utf-8;\\x{0A}",
            "utf-8;\\x{}",
            "utf-8;\x85",
        )  # fmt: skip
        rcpt_options({"ORCPT": "rfc822;" + "x" * (MAX_ORIGINAL_RECIPIENT - 7)})

    @settings(max_examples=100, deadline=None)
    @given(st.text(min_size=1, max_size=20).filter(str.isprintable))
    def test_there_and_back(self, address: str) -> None:
        for kind in ("utf-8", "rfc822"):
            if kind == "utf-8" or address.isascii():
                value = str(OriginalRecipient(kind, address))
                self.assertRegex(value, r"\A[!-~]+\Z")
                self.assertNotIn("=", value)
                self.assert_original(value, kind, address)

    @settings(max_examples=200, deadline=None)
    @given(
        st.sampled_from(["", "rfc822;", "utf-8;"]), st.text(max_size=30) | st.text("\\x{}+0AF", max_size=30)
    )
    def test_nothing_else_is_raised(self, kind: str, value: str) -> None:
        for keyword in ("NOTIFY", "ORCPT"):
            try:
                rcpt_options({keyword: kind + value})
            except ValueError as error:
                self.assertTrue(str(error).isascii())
