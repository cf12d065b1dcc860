"""Keys for SORT and THREAD, and dates."""

from datetime import UTC, datetime, timedelta, timezone

from twisted.trial.unittest import TestCase

from mailproto.message import (
    IDS_LIMIT,
    SUBJECT_LIMIT,
    base_subject,
    date_text,
    display_name,
    is_reply,
    message_id,
    message_ids,
    parse_date,
    references,
    sent_date,
    sort_mailbox,
)


class BaseSubjectTests(TestCase):
    """RFC 5256 2.1."""

    def test_what_comes_off(self) -> None:
        for subject, base, reply in (
            (b"hello", "hello", False),
            (b"Re: hello", "hello", True),
            (b"re : RE:Fw: fwd[5]: hello", "hello", True),
            (b"[list] Re: [list] hello", "hello", True),
            (b"[list] hello", "hello", False),
            (b"hello (fwd) (FWD) ", "hello", True),
            (b"[fwd: Re: hello (fwd)]", "hello", True),
            (b"[a][b]", "[b]", False),
            (b"[list]", "[list]", False),
            (b"Re: [list]", "[list]", True),
            (b"Re:", "", True),
            (b" a \t\r\n b ", "a b", False),
            (b"=?utf-8?q?Re:_=C3=A9?=", "é", True),
            (b"Report", "Report", False),
            (b"Re[[x]: y", "Re[[x]: y", False),
        ):
            self.assertEqual((base_subject(subject), is_reply(subject)), (base, reply), subject)

    def test_only_so_much_is_read(self) -> None:
        self.assertEqual(len(base_subject(b"x" * 2 * SUBJECT_LIMIT)), SUBJECT_LIMIT)


class DateTests(TestCase):
    def test_forms_in_the_wild(self) -> None:
        utc = datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC)
        for value in (
            b"Tue, 3 Nov 2026 04:05:06 +0000",
            b"3 Nov 2026 04:05:06 GMT",
            b"Tue, 03 Nov 26 05:05:06 +0100 (CET)",
            b"Tue Nov  3 04:05:06 2026",
            b"Tue Nov 3 04:05:06 UTC 2026",
            b"Tuesday, 03-Nov-26 04:05:06 GMT",
            b"2026-11-03T04:05:06Z",
            b"2026/11/03 04.05.06",
            b"November 3, 2026 4:05:06 AM",
            b"Tue, 3 Nov 2026\r\n 01:05:06 -0300",
            b"(c) 3 (d) Nov 126 04 : 05 : 06 -0000",
            b"Mon, 2 Nov 2026 23:05:06 EST",
        ):
            date = parse_date(value)
            self.assertEqual(date and date.astimezone(UTC), utc, value)

    def test_the_zone_is_kept(self) -> None:
        date = parse_date(b"1 Jan 2026 00:30:00 +0530")
        self.assertEqual(date and (date.day, date.utcoffset()), (1, timedelta(hours=5, minutes=30)))

    def test_a_time_that_is_none(self) -> None:
        for value in (b"1 Jan 2026 25:00:00 +0000", b"1 Jan 2026"):
            self.assertEqual(parse_date(value), datetime(2026, 1, 1, tzinfo=UTC))

    def test_a_zone_that_is_none(self) -> None:
        for zone in (b"", b"+9999", b"FOO", b"X"):
            self.assertEqual(parse_date(b"1 Jan 2026 10:00:00 " + zone), datetime(2026, 1, 1, 10, tzinfo=UTC))

    def test_what_is_no_date(self) -> None:
        for value in (
            b"",
            b"yesterday",
            b"31 Feb 2026 10:00:00 +0000",
            b"0 Jan 2026",
            b"1 Jan 0000 00:00:00",
        ):
            self.assertIsNone(parse_date(value), value)

    def test_the_arrival_stands_in(self) -> None:
        arrival = datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=1)))
        for value in (None, b"garbage", b"1 Jan 0001 00:00:00 +2300"):
            self.assertEqual(sent_date(value, arrival), datetime(2026, 1, 2, 2, tzinfo=UTC))

    def test_dates_are_written_as_they_are_read(self) -> None:
        for zone in (UTC, timezone(timedelta(hours=-3, minutes=-30)), timezone(timedelta(hours=14))):
            date = datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone)
            self.assertEqual(parse_date(date_text(date).encode()), date)
        self.assertEqual(date_text(datetime(2026, 1, 2)), "Fri, 2 Jan 2026 00:00:00 -0000")


class IdTests(TestCase):
    def test_in_order_without_brackets(self) -> None:
        self.assertEqual(message_ids(b"x <a@b>(<c>)\r\n <d@e>"), [b"a@b", b"c", b"d@e"])

    def test_needless_quotes_go(self) -> None:
        self.assertEqual(message_id(b'<"01KF8"@x.example>'), b"01KF8@x.example")
        self.assertEqual(message_id(b'<"a b"@x>'), b'"a b"@x')

    def test_folds_and_comments_are_no_part_of_an_id(self) -> None:
        for value in (b"\r\n\t<a.b@c>", b"<a\r\n .b@c>", b"< a . b (x) @ c >", b'<"a.b" @c>'):
            self.assertEqual(message_ids(value), [b"a.b@c"], value)

    def test_a_blank_within_an_id_stays(self) -> None:
        self.assertEqual(message_ids(b"<a b@c> <a\r\n\tb@c>"), [b"a b@c", b"a b@c"])

    def test_none(self) -> None:
        for value in (b"a@b <>", b"1 < 2 and 3 > 2", b"< >", b"<(x)>"):
            self.assertIsNone(message_id(value), value)

    def test_in_reply_to_stands_in_for_references(self) -> None:
        self.assertEqual(references(b"<a> <b>", b"<c>"), [b"a", b"b"])
        self.assertEqual(references(b"none", b"x <c> <d>"), [b"c"])
        self.assertEqual(references(None, None), [])

    def test_of_too_many_the_nearest_count(self) -> None:
        ids = message_ids(b"".join(b"<%d>" % n for n in range(IDS_LIMIT + 5)))
        self.assertEqual((len(ids), ids[-1]), (IDS_LIMIT, b"%d" % (IDS_LIMIT + 4)))


class SortAddressTests(TestCase):
    def test_the_first_local_part(self) -> None:
        self.assertEqual(sort_mailbox(b"X <b@c>, a@b"), "b")
        self.assertEqual(sort_mailbox(None), "")

    def test_the_display_name_or_the_address(self) -> None:
        self.assertEqual(display_name(b"=?utf-8?q?=C3=89ve?= <e@x>"), "Éve")
        self.assertEqual(display_name(b"e@x"), "e@x")
        self.assertEqual(display_name(b"g:;"), "g")
        self.assertEqual(display_name(b"=?utf-8?q??= <e@x>"), "e@x")  # decoded, the name is empty
        self.assertEqual(display_name(b'"" <e@x>'), "e@x")
        self.assertEqual(display_name(None), "")
