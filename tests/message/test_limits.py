"""What is made of a message has a limited size, and takes limited time between pauses."""

from __future__ import annotations

import sys
from collections.abc import Callable

from twisted.trial.unittest import TestCase

from mailproto.message import (
    ADDRESSES_LIMIT,
    ENVELOPE_LIMIT,
    FIELDS_LIMIT,
    PARTS_LIMIT,
    SHOWN_TEXT_LIMIT,
    STRUCTURE_LIMIT,
    Index,
    Section,
    Sections,
    Working,
    binary_size_steps,
    body,
    body_steps,
    finish,
    scan,
    scan_steps,
    section,
    summarise,
    summarise_steps,
    top,
    top_steps,
)
from tests.message.parts import mixed, part

MB = 1 << 20


def envelope(header: bytes) -> bytes:
    return summarise(header + b"\r\n\r\n").envelope


class EnvelopeTests(TestCase):
    def test_texts_are_cut_between_words(self) -> None:
        for word in (b"word ", b"=?utf-8?q?caf=C3=A9?= ", b"a\r\n b "):
            shown = envelope(b"Subject: " + word * 50_000)
            self.assertIn(len(shown), range(SHOWN_TEXT_LIMIT - 800, SHOWN_TEXT_LIMIT + 100), word)
            self.assertIn(shown[-60:].partition(b'" NIL')[0].rpartition(b" ")[2], word.replace(b"\r\n", b""))

    def test_no_character_is_cut(self) -> None:
        for before in (b"", b"a", b"ab"):
            shown = envelope(b"Subject: " + before + "€".encode() * 20_000)
            self.assertLess(len(shown), SHOWN_TEXT_LIMIT + 100)
            self.assertEqual(shown.count(b"\xe2"), shown.count(b"\x82\xac"))
            shown.decode()

    def test_every_text_has_its_limit(self) -> None:
        for name in (b"Date", b"Subject", b"In-Reply-To", b"Message-ID"):
            for text in (b"x" * MB, b'"' * MB, b"\\" * MB, b"\xff" * MB, b"\0" * MB, b"<a@b> " * 100_000):
                shown = envelope(name + b": " + text)
                self.assertLess(len(shown), 4 * SHOWN_TEXT_LIMIT, (name, text[:3]))
                self.assertGreater(len(shown), SHOWN_TEXT_LIMIT // 2, (name, text[:3]))

    def test_addresses_that_are_too_many_are_not_shown(self) -> None:
        for field in (
            b"From: " + b"a@b, " * MB,
            b"From: " + b"(x)a@b, " * MB,
            b"From: " + b'"' + b"n" * 3000 + b'" <a@b>, ' * 1000,
            b"".join(
                b"%b: %b\r\n" % (name, b"name <a@b>," * 2000) for name in (b"From", b"To", b"Cc", b"Bcc")
            ),
            b"To: a@b\r\n" * 100_000,
            b"To: " + (b"n" * 70_000) + b"@b, a@b",
            b"To: g: " + b"name <a@b>, " * 5000 + b";",
            b"Cc: " + b"g: a@b;, " * 5000,
        ):
            shown = envelope(field)
            self.assertLessEqual(len(shown), ENVELOPE_LIMIT, field[:20])
            self.assertGreater(len(shown), 4000, field[:20])

    def test_a_group_that_is_cut_is_ended(self) -> None:
        shown = envelope(b"To: g: " + b"name <a@b>, " * 1900 + b";")
        self.assertIn(b'(NIL NIL "g" NIL)(', shown)
        self.assertIn(b"(NIL NIL NIL NIL)) NIL NIL NIL NIL)", shown)

    def test_honest_lists_are_whole(self) -> None:
        people = [b'"Somebody, Number %d" <somebody%d@department.example.org>' % (n, n) for n in range(600)]
        self.assertEqual(envelope(b"To: " + b",\r\n ".join(people)).count(b"department.example.org"), 600)


class StructureTests(TestCase):
    CC = b"Content-Type: message/rfc822\r\n\r\nSubject: a\r\nCc: " + b"a@b," * 9800 + b"\r\n\r\n"

    def many(self, one: bytes, count: int) -> bytes:
        return (
            b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext"
            + b"".join(b"\r\n--x\r\n" + one for _ in range(count))
            + b"\r\n--x--\r\n"
        )

    def test_it_has_a_limit_whatever_is_in_the_parts(self) -> None:
        parameters = b"".join(b"; n%d=%b" % (n, b'"' + rb"\"" * 300 + b'"') for n in range(20))
        for one, count in (
            (self.CC, 60),
            (b"Content-Type: text/plain" + parameters + b"\r\n\r\n", 200),
            (b"Content-ID: " + b"x" * MB + b"\r\n\r\n", 200),
            (b"Content-Language: " + b"en," * 3000 + b"\r\n\r\n", 200),
            (b"Content-Transfer-Encoding: " + b"x" * 10_000 + b"\r\n\r\n", 200),
            (b"Content-Disposition: x" + parameters + b"\r\n\r\n", 200),
            (b"\r\n", PARTS_LIMIT),
        ):
            content = self.many(one, count)
            index = scan(content)
            for shown in (summarise(content).body_structure, body(content, index)):
                self.assertLess(len(shown), STRUCTURE_LIMIT + 90 * count, one[:20])
                self.assertEqual(shown.count(b"("), shown.count(b")"))

    def test_the_first_part_is_shown_and_all_others_can_be_fetched(self) -> None:
        content = self.many(self.CC, 60)
        index = scan(content)
        shown = body(content, index)
        self.assertTrue(shown.startswith(b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 0)'))
        octets = b'("application" "octet-stream" NIL NIL NIL "7bit" %d)' % (len(self.CC) - 32)
        self.assertTrue(shown.endswith(octets + b' "mixed")'))
        self.assertIn(b'("message" "rfc822" NIL NIL NIL "7bit" %d (NIL "a"' % (len(self.CC) - 32), shown)
        self.assertEqual(
            shown.count(b'"message" "rfc822"') + shown.count(octets), 60, "each part is shown in one way"
        )
        found = section(content, index, Section((61, 1)))
        self.assertIsNotNone(found)

    def test_the_encoding_is_kept(self) -> None:
        """Without it, a client would save a file in base64."""
        one = b"Content-Transfer-Encoding: Base64\r\nContent-ID: " + b"x" * 4000 + b"\r\n\r\nQUJD"
        shown = body(content := self.many(one, 300), scan(content))
        self.assertTrue(shown.endswith(b'("application" "octet-stream" NIL NIL NIL "base64" 4) "mixed")'))

    def test_honest_messages_are_shown_whole(self) -> None:
        one = part(
            "message/rfc822", b"Subject: a forwarded message\r\nFrom: Somebody <a@b.example>\r\n\r\ntext"
        )
        content = mixed(*[one] * 500)
        self.assertNotIn(b"octet-stream", summarise(content).body_structure)


def calls_of(work: Callable[[], object]) -> int:
    """How many calls ``work`` makes, those of built-in functions included."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


class DelimiterTests(TestCase):
    """However many multiparts are open, a line costs the same."""

    LEVELS = 98

    def cost(self, boundaries: list[bytes], line: bytes) -> float:
        """How many calls are made for each of many lines, those of built-in functions included."""
        level = b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n--%b\r\n"
        levels = b"".join(level % (each, each) for each in boundaries)
        few, many = (calls_of(lambda content=levels + line * n: scan(content)) for n in (100, 4100))  # type: ignore[misc]
        return (many - few) / 4000

    def test_lines_like_delimiters_of_many_levels(self) -> None:
        names = [b"q%d" % number for number in range(self.LEVELS)]
        prefixes = [b"x" * number for number in range(1, self.LEVELS)]
        for boundaries, line in (
            (names, b"\n--q97\n"),
            (names, b"\n--q97 and more\n"),
            (names, b"\n--q0\n"),
            (names, b"\n--q50\n"),
            (names, b"\n--q\n"),
            (prefixes, b"\n--x\n"),
            ([b"x", *names, b"xx"], b"\n--xx\n"),
        ):
            self.assertLess(self.cost(boundaries, line), 100, line)


class StepsTests(TestCase):
    """Between two pauses, little is read, and few parts are made."""

    def test_the_result_is_the_same(self) -> None:
        for content in (b"", mixed(part("text/plain", b"x"), part("message/rfc822", b"Subject: a\r\n\r\nb"))):
            work = Working(summarise_steps(content))
            for _ in work:
                pass
            self.assertEqual(work.result, summarise(content))
            self.assertEqual(work.result, finish(summarise_steps(content)))
            index = finish(scan_steps(content))
            self.assertEqual(index.dump(), work.result.index)
            self.assertEqual(finish(body_steps(content, index)), body(content, index))

    def test_long_work_pauses(self) -> None:
        for content, least in (
            (b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\na\r\n" * 9000, 250),
            (b"Content-Type: message/rfc822\r\n\r\n" + b"X:a\r\n" * (8 * MB // 5), 8),
            (b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"text\r\n" * (8 * MB // 6), 7),
            (b"Subject: a\r\n\r\n" + b"text\r\n" * (8 * MB // 6), 7),
            (mixed(*[part("message/rfc822", b"a: b\r\n\r\n" + b"x\r\n" * (MB // 6))] * 16), 9),
        ):
            self.assertGreaterEqual(sum(1 for _ in scan_steps(content)), least, content[-20:])

    def test_decoding_and_counting_pause(self) -> None:
        content = part("a/b", b"QUJD\r\n" * (MB // 6) * 4, "Content-Transfer-Encoding: base64")
        index = scan(content)
        self.assertGreaterEqual(sum(1 for _ in binary_size_steps(content, index, (1,))), 15)
        self.assertGreaterEqual(sum(1 for _ in top_steps(content, index, MB)), 15)

    def test_reading_a_header_pauses(self) -> None:
        content = b"X:a\r\n" * 2 * FIELDS_LIMIT
        fields = Section((), "HEADER.FIELDS", (b"X",))
        steps = Sections(content, scan(content)).find_steps(fields)
        self.assertGreaterEqual(sum(1 for _ in steps), 10)

    def test_few_calls_are_made_for_many_lines(self) -> None:
        content = b"A: b\r\n\r\n" + b"\n" * MB
        index = scan(content)
        self.assertLess(calls_of(lambda: top(content, index, 200_000)), 300)
        for lines in (*range(70), 100, 262_143, 262_144, 262_145, MB - 1, MB, MB + 1):
            body_lines = b"x\n" * 100 + b"\n" * MB
            shown = bytes(top(b"A: b\n\n" + body_lines, scan(b"A: b\n\n" + body_lines), lines))
            self.assertEqual(shown.count(b"\n") - 2, min(lines, MB + 100), lines)
            self.assertEqual(shown[-1:], b"\n")

    def test_rendering_pauses(self) -> None:
        content = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\na\r\n" * 9000
        stored = summarise(content).index
        index = Index.load(stored)
        self.assertGreaterEqual(sum(1 for _ in Index.load_steps(stored)), 17)
        self.assertGreaterEqual(sum(1 for _ in index.dump_steps()), 17)
        self.assertGreaterEqual(sum(1 for _ in body_steps(content, index)), 250)
        large = StructureTests().many(StructureTests.CC, 60)
        self.assertGreaterEqual(sum(1 for _ in body_steps(large, scan(large))), 5)

    def test_addresses_are_few(self) -> None:
        self.assertLessEqual(envelope(b"To: " + b"a@b," * 5000).count(b'"a" "b"'), ADDRESSES_LIMIT)
