"""FETCH: data items, sections, partials."""

from mailproto.imap.wire import Fetch, FetchAttribute, FetchSection, IMAPWireLimits, Options, SequenceSet
from mailproto.message import Section
from tests.imap.wire.feed import WireTestCase

ONE = SequenceSet(((1, 1),))


def names(text: str) -> tuple[FetchAttribute, ...]:
    return tuple(map(FetchAttribute, text.split()))


class FetchTests(WireTestCase):
    def items(self, text: bytes) -> object:
        return self.parse(b"FETCH 1 " + text).arguments.items

    def test_attributes_and_macros(self) -> None:
        for text, expected in {
            b"FLAGS": "FLAGS",
            b"(flags)": "FLAGS",
            b"(UID ENVELOPE INTERNALDATE RFC822.SIZE BODYSTRUCTURE BODY)": (
                "UID ENVELOPE INTERNALDATE RFC822.SIZE BODYSTRUCTURE BODY"
            ),
            b"(UID UID FLAGS UID)": "UID FLAGS",
            b"FAST": "FLAGS INTERNALDATE RFC822.SIZE",
            b"ALL": "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE",
            b"full": "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY",
        }.items():
            self.assertEqual(self.items(text), names(expected), text)

    def test_sections_of_rfc_822(self) -> None:
        self.assertEqual(
            self.items(b"(RFC822 RFC822.HEADER RFC822.TEXT)"),
            (
                FetchSection(b"RFC822", Section(), False),
                FetchSection(b"RFC822.HEADER", Section((), "HEADER"), True),
                FetchSection(b"RFC822.TEXT", Section((), "TEXT"), False),
            ),
        )

    def test_sections(self) -> None:
        for text, expected in {
            b"BODY[]": FetchSection(b"BODY[]", Section(), False),
            b"body.peek[]": FetchSection(b"BODY[]", Section(), True),
            b"BODY[HEADER]": FetchSection(b"BODY[HEADER]", Section((), "HEADER"), False),
            b"BODY[1]": FetchSection(b"BODY[1]", Section((1,)), False),
            b"BODY[1.20.3]": FetchSection(b"BODY[1.20.3]", Section((1, 20, 3)), False),
            b"BODY[1.mime]": FetchSection(b"BODY[1.MIME]", Section((1,), "MIME"), False),
            b"BODY.PEEK[2.TEXT]": FetchSection(b"BODY[2.TEXT]", Section((2,), "TEXT"), True),
            b"BODY[]<0.10>": FetchSection(b"BODY[]<0>", Section(), False, (0, 10)),
            b"BODY.PEEK[1]<7.1>": FetchSection(b"BODY[1]<7>", Section((1,)), True, (7, 1)),
            b"BODY.PEEK[HEADER.FIELDS (From X-Foo)]": FetchSection(
                b"BODY[HEADER.FIELDS (From X-Foo)]", Section((), "HEADER.FIELDS", (b"From", b"X-Foo")), True
            ),
            b'BODY[1.2.HEADER.FIELDS.NOT ("To" {2+}\r\nCc "a b" "")]<5.9>': FetchSection(
                b'BODY[1.2.HEADER.FIELDS.NOT (To Cc "a b" "")]<5>',
                Section((1, 2), "HEADER.FIELDS.NOT", (b"To", b"Cc", b"a b", b"")),
                False,
                (5, 9),
            ),
            b"BODY[HEADER.FIELDS ({1+}\r\n\xe9)]": FetchSection(
                b"BODY[HEADER.FIELDS ({1}\r\n\xe9)]", Section((), "HEADER.FIELDS", (b"\xe9",)), False
            ),
        }.items():
            self.assertEqual(self.items(text), (expected,), text)
            self.assertEqual(
                self.items(b"(UID " + text + b" FLAGS)"), (*names("UID"), expected, *names("FLAGS"))
            )

    def test_uid_and_sets_and_modifiers(self) -> None:
        command = self.parse(b"UID FETCH 5:3,9:* FLAGS (XSINCE 12345)")
        self.assertEqual((command.name, command.uid), ("FETCH", True))
        self.assertEqual(
            command.arguments,
            Fetch(SequenceSet(((3, 5), (9, None))), names("FLAGS"), Options({"XSINCE": 12345})),
        )
        self.assertEqual(self.parse(b"FETCH 1 FLAGS").arguments, Fetch(ONE, names("FLAGS")))

    def test_bad(self) -> None:
        self.assert_bad(
            [
                b"FETCH",
                b"FETCH 1",
                b"FETCH 1 ()",
                b"FETCH 1 (FLAGS",
                b"FETCH 1 (FLAGS)x",
                b"FETCH 1 (FLAGS  UID)",
                b"FETCH 1 (ALL)",
                b"FETCH 1 FLAGS UID",
                b"FETCH 1 WHATEVER",
                b"FETCH 1 FLAGS[]",
                b"FETCH 1 BODY[",
                b"FETCH 1 BODY[MIME]",
                b"FETCH 1 BODY[0]",
                b"FETCH 1 BODY[1.]",
                b"FETCH 1 BODY[.1]",
                b"FETCH 1 BODY[1..2]",
                b"FETCH 1 BODY[1TEXT]",
                b"FETCH 1 BODY[9999999999]",
                b"FETCH 1 BODY[WHATEVER]",
                b"FETCH 1 BODY[TEXT.1]",
                b"FETCH 1 BODY[HEADER.FIELDS]",
                b"FETCH 1 BODY[HEADER.FIELDS ()]",
                b"FETCH 1 BODY[HEADER.FIELDS (a]",
                b"FETCH 1 BODY[]<0.0>",
                b"FETCH 1 BODY[]<0>",
                b"FETCH 1 BODY[]<-1.5>",
                b"FETCH 1 BODY[]<1.99999999999999999999>",
                b"FETCH 1 FLAGS (XVANISHED)",
                b"FETCH 1 FLAGS (XSINCE 9223372036854775808)",
                b"FETCH 0 FLAGS",
                b"FETCH x FLAGS",
                b"FETCH 1,,2 FLAGS",
            ]
        )


class FetchLimitTests(WireTestCase):
    limits = IMAPWireLimits(fetch_items=3, fetch_labels=12)

    def test_the_most_items(self) -> None:
        self.assertEqual(len(self.parse(b"FETCH 1 (UID BODY[1] BODY[2])").arguments.items), 3)
        self.assert_bad([b"FETCH 1 (UID BODY[1] BODY[2] FLAGS)", b"FETCH 1 (UID UID UID UID)"])

    def test_the_most_octets_of_part_numbers_and_names(self) -> None:
        for items in (
            b"BODY[1.2.3.4.55.6]",
            b"(BODY[1.2.3] BODY[4.5.6.7])",
            b"BODY[HEADER.FIELDS (1234567 9)]",
            b'BODY[HEADER.FIELDS ("a" "b")]',
            b"BODY[HEADER.FIELDS ({3+}\r\na b)]",
        ):
            self.parse(b"FETCH 1 " + items)
        self.assert_bad(
            [
                b"FETCH 1 BODY[1.2.3.4.55.66]",
                b"FETCH 1 (BODY[1.2.3] BODY[4.5.6.78])",
                b"FETCH 1 BODY[HEADER.FIELDS (1234567 901)]",
                b'FETCH 1 BODY[HEADER.FIELDS ("a" "b" "c" "d" "e")]',
                b"FETCH 1 BODY[HEADER.FIELDS ({20+}\r\n12345678901234567890)]",
                b"FETCH 1 BODY[1.HEADER.FIELDS (1234 6789)]<1.2>",
            ]
        )
