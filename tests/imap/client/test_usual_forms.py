"""Responses in the usual form, which are read in one step, mean the same as when they are read slowly."""

from __future__ import annotations

from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap.client._fetched import FetchedMessage
from mailproto.imap.client._usual_envelope import usual_envelope
from mailproto.imap.limits import IMAPClientLimits
from mailproto.imap.wire._answers import Answer, Data, Fetches, IMAPResponseError
from mailproto.imap.wire._client_wire import IMAPClientWire

LIMITS = IMAPClientLimits()

strings = st.sampled_from(
    [
        b"NIL",
        b'""',
        b'"a"',
        b'"NIL"',
        b'"=?utf-8?Q?=C3=A4?="',
        '"ä"'.encode(),
        '"ä"'.encode("latin-1"),
        b'"x y"',
        b'" "',
        b'"=?utf-8?Q?_b_?="',
    ]
)
odd_strings = strings | st.sampled_from([b"nil", rb'"a\"b"', b"atom", b"12", b'"a\x1bb"', b'"(ENVELOPE (" '])
addresses = st.lists(st.tuples(strings, strings, strings, strings), max_size=3)


def address_list(people: list[tuple[bytes, bytes, bytes, bytes]], between: bytes) -> bytes:
    return b"(%b)" % between.join(b"(%b)" % b" ".join(each) for each in people) if people else b"NIL"


@st.composite
def envelopes(draw: st.DrawFn) -> bytes:
    text = draw(st.sampled_from([strings, odd_strings]))
    between = draw(st.sampled_from([b"", b" "]))
    fields = [draw(text), draw(text)]
    fields += [address_list(draw(addresses), between) for _ in range(6)]
    fields += [draw(text), draw(text)]
    before = draw(st.sampled_from([b"", b"UID 5 ", b'FLAGS (\\Seen a) X "ENVELOPE (" ', b"RFC822.SIZE 4 "]))
    after = draw(st.sampled_from([b"", b" UID 5", b" FLAGS ()"]))
    return b"(%bENVELOPE (%b)%b)" % (before, b" ".join(fields), after)


class EnvelopeTests(SynchronousTestCase):
    @given(envelopes())
    def test_the_same_is_read(self, text: bytes) -> None:
        data = Data(1, "FETCH", text, [])
        slowly = FetchedMessage(5, data, LIMITS)
        slowly.items  # noqa: B018 # from now on, everything is read from these
        self.assertEqual(FetchedMessage(5, data, LIMITS).envelope, slowly.envelope)

    def test_what_is_usual(self) -> None:
        person = b'(("=?utf-8?Q?=C3=84nne?=" NIL "anne" "a.example")("B" NIL "b" "b.example"))'
        text = b'(UID 7 ENVELOPE ("Mon" "Hello" %b %b %b NIL NIL NIL NIL "<1@a.example>"))' % ((person,) * 3)
        found = usual_envelope(text)
        if found is None:
            self.fail("it is not usual")
        self.assertEqual(found.subject, "Hello")
        self.assertEqual(found.from_[0], ("Änne", "anne@a.example"))
        self.assertEqual(found.sender, found.from_)
        self.assertEqual((found.to, found.message_id), ((), "<1@a.example>"))

    def test_another_item_is_no_envelope(self) -> None:
        envelope = b'ENVELOPE ("x" "y" NIL NIL NIL NIL NIL NIL NIL NIL) '
        for text in (b'(X "%b")' % envelope, b'(X "a" "%b)' % envelope, b"(X (%b))" % envelope):
            self.assertIsNone(usual_envelope(text))

    def test_hostile_texts_take_no_long_time(self) -> None:
        person = b'("" NIL "" "") '
        for text in (
            b"(" + b"A 1 " * 15_000,
            b'(ENVELOPE ("a" "b" (' + person * 3_000,
            b'(ENVELOPE ("a" "b"'
            + b" ("
            + person * 500
            + b") ("
            + person * 500
            + b") ("
            + person * 500
            + b"x",
            b'(ENVELOPE ("' + b"a" * 60_000,
            b"(ENVELOPE (" + b"NIL " * 15_000,
        ):
            began = process_time()
            self.assertIsNone(usual_envelope(text))
            self.assertLess(process_time() - began, 1)  # ten times as long, if it were quadratic


flag_lists = st.lists(
    st.sampled_from(
        [b"\\Seen", b"\\seen", b"$Kept", b"a.b:c-d", b"nil", b" ", b"a\\b", b"\\", b"(", b"[x]", b"\xff"]
    ),
    max_size=4,
).map(b" ".join)


class FlagTests(SynchronousTestCase):
    @given(
        st.sampled_from([b"(", b"(UID 5 ", b"(UID 5 RFC822.SIZE 4 ", b"(FLAGS (x) ", b"( "]),
        flag_lists,
        st.sampled_from(
            [b"", b" UID 5", b" MODSEQ (4)", b" MODSEQ (4) UID 5", b" FLAGS (y)", b" ENVELOPE NIL"]
        ),
    )
    def test_the_same_is_read(self, before: bytes, flags: bytes, after: bytes) -> None:
        data = Data(1, "FETCH", b"%bFLAGS (%b)%b)" % (before, flags, after), [])
        for limits in (LIMITS, IMAPClientLimits(values=3)):
            slowly = FetchedMessage(5, data, limits)
            slowly.items  # noqa: B018 # from now on, everything is read from these
            self.assertEqual(FetchedMessage(5, data, limits).flags, slowly.flags)


def answers(octets: bytes, size: int, limits: IMAPClientLimits) -> list[Answer | str]:
    """What comes of octets, so many at a time; an error ends them."""
    wire = IMAPClientWire(limits)
    found: list[Answer | str] = []
    try:
        for start in range(0, len(octets), size):
            wire.receive(octets[start : start + size])
            while (answer := wire.next_event()) is not None:
                found += answer.answers if isinstance(answer, Fetches) else [answer]
    except IMAPResponseError:
        found.append("broken")
    return found


class LiteralTests(SynchronousTestCase):
    def test_received_at_once_or_octet_by_octet(self) -> None:
        begin = b"* 1 FETCH (UID 5 BODY[] {5}\r\n"
        for octets, limits in (
            (begin + b"he\r\no)\r\n* 2 EXISTS\r\n", LIMITS),
            (begin + b"hello FLAGS ())\r\n", LIMITS),
            (begin + b"hello BODY[TEXT] {0}\r\n)\r\n", LIMITS),
            (begin + b"hello)\n", LIMITS),
            (begin.replace(b"{5", b"~{5") + b"he\0lo)\r\n", LIMITS),
            (begin.replace(b"{5", b"{0") + b")\r\n", LIMITS),
            (b"* 1 FETCH {5}\r\nhello)\r\n", LIMITS),
            (b"* LIST () {5}\r\nhello)\r\n", LIMITS),
            (begin + b"hello)\r\n", IMAPClientLimits(literals=0)),
            (begin + b"hello)\r\n", IMAPClientLimits(response=10)),
            (begin + b"hello)\r\n", IMAPClientLimits(response=30)),
        ):
            slowly = answers(octets, 1, limits)
            self.assertNotEqual(slowly, [])
            self.assertEqual(answers(octets, len(octets), limits), slowly)

    def test_the_message_alone(self) -> None:
        for text, literal, expected in (
            (b"(UID 5 BODY[] {5}\r\n)", b"hello", b"hello"),
            (b"(UID 5 BODY[] ~{5}\r\n)", b"he\0lo", b"he\0lo"),
            (b"(UID 5 BODY[] {5}\r\n FLAGS ())", b"hello", b"hello"),
            (b"(UID 5 BODY[] {5}\r\n)", None, None),
            (b"(UID 5 BODY[] NIL)", None, None),
            (b"(UID 5 BODY[TEXT] {5}\r\n)", b"hello", None),
        ):
            literals = [literal] if b"{" in text else []
            content = FetchedMessage(5, Data(1, "FETCH", text, [*literals]), LIMITS).content
            self.assertEqual(None if content is None else bytes(content), expected)
