"""Header values that are made of plain headers at once are those that are made with all care."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.message import HeaderValues, header_values, parse_date, plain_header_values, scan
from mailproto.message import _header_values as implementation
from mailproto.message._dates import seconds_and_day

addresses = st.sampled_from(
    [
        "Ann <ann@x.org>",
        '"B, b" <b@x.org>, c@x.org',
        "=?utf-8?q?J=C3=BCrgen?= <j@x.org>",
        "=?utf-8?b?SsO8cmdlbg==?=\r\n =?utf-8?q?_M?= <j@x.org>",
        "team: a@x, b@x;, d@x",
        "J\u00fcrgen <j\u00fc@x.org>",
        "\ufffd <e@x>",
        "(a comment) f@x (another)",
        "broken <",
        "",
        " ",
        "\t two  blanks\x00 <g@x>",
        "h@x, " * 300,
        "=?iso-2022-jp?b?GyRCIXobKEI=?= \x1b$B <i@x>",
    ]
)
others = st.sampled_from(
    [
        "Re: [list] plans (fwd)",
        "=?utf-8?q?caf=C3=A9?= =?x?",
        "<a@x>",
        '<"a"@x>',
        "<a@x> <b@x>",
        "<a @ x>",
        "Mon, 2 Mar 2026 23:30:00 -0500",
        "2 Mar 2026 23:30 +0000 (UTC)",
        "31 Feb 2026 00:00:00 +0000",
        "nonsense \xe9",
        "",
    ]
)
fields = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["From", "to", "CC", "Bcc", "From "]), addresses),
        st.tuples(
            st.sampled_from(["Subject", "Date", "Message-ID", "References", "In-Reply-To", "X-From"]), others
        ),
    ),
    max_size=8,
)
ends = st.sampled_from(
    [b"\r\n\r\nbody", b"\n\nFrom: no@x\n", b"\r\n", b"", b"\r\n a fold\r\n\r\n", b"\r\nno field\r\n\r\n"]
)


class PlainValuesTests(SynchronousTestCase):
    @given(fields, ends, st.booleans(), st.sampled_from(["utf-8", "latin-1"]))
    @settings(max_examples=300, deadline=None)
    def test_they_are_equal(self, some: list[tuple[str, str]], end: bytes, is_lf: bool, charset: str) -> None:
        header = "\r\n".join([f"{name}: {value}" for name, value in some]).encode(charset, "replace")
        content = header + end
        if is_lf:
            content = content.replace(b"\r\n", b"\n")
        index = scan(content)
        with_care = self.with_care(content)
        self.assertEqual(header_values(content, index), with_care)
        root = index.root
        for names in (HeaderValues._fields, *[(name,) for name in HeaderValues._fields]):
            plain = plain_header_values(content[: root.body], root.header, root.body, names)
            if plain is not None:
                self.assertEqual(plain, [getattr(with_care, name) for name in names])

    def with_care(self, content: bytes) -> HeaderValues:
        self.patch(implementation, "PLAIN_HEADER", -1)
        try:
            return header_values(content, scan(content))
        finally:
            self.patch(implementation, "PLAIN_HEADER", 1 << 14)

    def test_most_headers_are_plain(self) -> None:
        for value in (b"Ann <ann@x.org>", b"=?utf-8?q?J=C3=BCrgen?= <j@x.org>", b"J\xc3\xbcrgen <j@x.org>"):
            content = b"From: %b\r\nSubject: Re: plans\r\nMessage-ID: <a@x>\r\n\r\n" % value
            self.assertIsNotNone(plain_header_values(content, 0, len(content), HeaderValues._fields), value)

    def test_what_may_take_long_or_needs_a_charset_is_not_plain(self) -> None:
        for header in (
            b"From: " + b"a@x, " * 300,
            b"Subject: caf\xe9",
            b"Subject: \xef\xbf\xbd",
            b"To: a@x\r\nTo: b@x",
            b"X-Other: " + b"x" * (1 << 14) + b"\r\nTo: a@x",
            b"Message-ID: a@x",
        ):
            content = header + b"\r\n\r\n"
            names = HeaderValues._fields
            self.assertIsNone(plain_header_values(content, 0, len(content), names), header[:20])
        self.assertIsNone(plain_header_values(b"To: a", 0, 50, ("to",)), "the header is not all there")

    @given(
        st.builds(
            "{}{} {} {} {}:{}{} {}{}".format,
            st.sampled_from(["", "Mon, ", "mon ", "Mo, "]),
            st.integers(0, 33),
            st.sampled_from(["Jan", "Feb", "May", "Dec", "JAN", "Foo"]),
            st.sampled_from(["2026", "1900", "2099", "99", "026", "2100"]),
            st.sampled_from(["00", "23", "24", "9"]),
            st.sampled_from(["00", "59", "60"]),
            st.sampled_from(["", ":00", ":59", ":60", ":5"]),
            st.sampled_from(["+0000", "-0530", "+2359", "+2400", "+0060", "GMT", "-0000", ""]),
            st.sampled_from(["", " (UTC)", " (x)", " "]),
        )
    )
    @settings(max_examples=300, deadline=None)
    def test_the_usual_date_is_read_as_any_other(self, text: str) -> None:
        value = text.encode()
        date = parse_date(value)
        expected = (None, None) if date is None else (int(date.timestamp()), date.date().toordinal())
        self.assertEqual(seconds_and_day(value), expected)
