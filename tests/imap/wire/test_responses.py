"""Values as octets of responses."""

import datetime
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap.wire import (
    ArgumentReader,
    Command,
    IMAPServerWire,
    IMAPWireLimits,
    Login,
    MailboxName,
    encode_mailbox,
    flag_list,
    internal_date,
    quoted_or_literal,
)
from mailproto.imap.wire._dates import date_time, zoned_date_time
from mailproto.model import canonical_mailbox_name
from tests.imap.wire.feed import SYNTAX


class StringTests(SynchronousTestCase):
    def test_quoted_where_it_can_be(self) -> None:
        for value, octets in (
            (b"", b'""'),
            ("a b", b'"a b"'),
            (b'a"b\\c', b'"a\\"b\\\\c"'),
            (b"a\r\nb", b"{4}\r\na\r\nb"),
            (b"\0", b"{1}\r\n\0"),
            ("é", b"{2}\r\n\xc3\xa9"),
            (b"\xff", b"{1}\r\n\xff"),
            ("\ud800", b'"?"'),
        ):
            self.assertEqual(quoted_or_literal(value), octets)

    @given(st.binary(max_size=40).map(lambda data: data.replace(b"\0", b"")))
    @settings(max_examples=200, deadline=None)
    def test_what_is_rendered_reads_as_the_same(self, value: bytes) -> None:
        wire = IMAPServerWire(syntax=SYNTAX)
        rendered = quoted_or_literal(value).replace(b"}\r\n", b"+}\r\n", 1) if b"\n" in value else None
        wire.receive(b"a LOGIN x " + (rendered or quoted_or_literal(value)) + b"\r\n")
        event = wire.next_event()
        if not isinstance(event, Command):  # a literal was asked for
            event = wire.next_event()
        self.assertEqual(event, Command("a", "LOGIN", False, Login(b"x", value)))


class MailboxTests(SynchronousTestCase):
    def test_atoms_quotes_and_modified_utf_7(self) -> None:
        for name, octets in {
            "INBOX": b"INBOX",
            "a/b]": b"a/b]",
            "a b": b'"a b"',
            "": b'""',
            "nil": b'"nil"',
            'a"b\\': b'"a\\"b\\\\"',
            "50%": b'"50%"',
            "a*(b)": b'"a*(b)"',
            "Entwürfe": b"Entw&APw-rfe",
            "a & b": b'"a &- b"',
            "\r\n": b"&AA0ACg-",
        }.items():
            self.assertEqual(encode_mailbox(name), octets)

    def test_utf_8(self) -> None:
        for name, octets in {
            "Entwürfe": '"Entwürfe"'.encode(),
            "a&b": b"a&b",
            "\n": b"{1}\r\n\n",
        }.items():
            self.assertEqual(encode_mailbox(name, utf8=True), octets)

    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
    @settings(max_examples=150, deadline=None)
    def test_what_is_rendered_reads_as_the_same(self, name: str) -> None:
        wire = IMAPServerWire(syntax=SYNTAX)
        wire.receive(b"a DELETE " + encode_mailbox("x" + name) + b"\r\n")
        same = MailboxName(canonical_mailbox_name("x" + name))
        self.assertEqual(wire.next_event(), Command("a", "DELETE", False, same))


class DateTests(SynchronousTestCase):
    def test_known_dates(self) -> None:
        for seconds, octets in {
            0: b'" 1-Jan-1970 00:00:00 +0000"',
            -1: b'"31-Dec-1969 23:59:59 +0000"',
            837_571_465: b'"17-Jul-1996 02:44:25 +0000"',
            2**40: b'"31-Dec-9999 23:59:59 +0000"',
            -(2**80): b'" 1-Jan-0001 00:00:00 +0000"',
        }.items():
            self.assertEqual(internal_date(seconds), octets)

    def test_zones(self) -> None:
        for zone, octets in {
            120: b'" 1-Jan-1970 02:00:00 +0200"',
            -420: b'"31-Dec-1969 17:00:00 -0700"',
            345: b'" 1-Jan-1970 05:45:00 +0545"',
            -30: b'"31-Dec-1969 23:30:00 -0030"',
        }.items():
            self.assertEqual(internal_date(0, zone), octets)

    @given(
        st.datetimes(datetime.datetime(2, 1, 1), datetime.datetime(9998, 1, 1)),
        st.integers(min_value=-5999, max_value=5999),
    )
    @settings(max_examples=150, deadline=None)
    def test_what_is_rendered_reads_as_the_same(self, moment: datetime.datetime, zone: int) -> None:
        seconds = int(moment.replace(microsecond=0, tzinfo=datetime.UTC).timestamp())
        for read, same in ((date_time, seconds), (zoned_date_time, (seconds, zone))):
            written = internal_date(seconds, zone)
            arguments = ArgumentReader(written, (), 0, limits=IMAPWireLimits(), utf8=False, syntax=SYNTAX)
            self.assertEqual(read(arguments), same)


class FlagTests(SynchronousTestCase):
    def test_system_flags_first_then_keywords(self) -> None:
        flags = frozenset({"b", "\\Seen", "A", "\\Answered"})
        self.assertEqual(flag_list(flags), b"(\\Answered \\Seen A b)")
        self.assertEqual(flag_list(flags, True), b"(\\Answered \\Seen A b \\Recent)")
        self.assertEqual(flag_list(frozenset()), b"()")
        self.assertEqual(flag_list(frozenset(), recent=True), b"(\\Recent)")

    def test_what_is_remembered_is_limited_by_octets(self) -> None:
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for number in range(1000):
            flags = frozenset(f"{number}-{other}".ljust(255, "x") for other in range(10))
            self.assertEqual(len(flag_list(flags)), 10 * 256 + 1)
        self.assertLess(tracemalloc.get_traced_memory()[1], 2 << 20)
