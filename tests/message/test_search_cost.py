"""What a search in one message costs: time between pauses, and memory."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.message import (
    FIELD_LIMIT,
    HEADER_LIMIT,
    TEXT_LIMIT,
    Index,
    Searchable,
    _search,
    _searched_texts,
    casemap,
    html_text,
    parse_date,
    scan,
)
from mailproto.message._casemap import searched_text
from mailproto.message._html import HTMLText
from mailproto.message._long_text import KEPT
from mailproto.message._part_text import PIECE, text_pieces
from tests.message.parts import mixed, part

SIZE = 1 << 18
HELLO = casemap("hello")


def search(content: bytes) -> Searchable:
    return Searchable(content, scan(content))


def text(charset: str, body: bytes, subtype: str = "plain") -> bytes:
    return part(f"text/{subtype}; charset={charset}", body)


HEADERS = (
    b"X:a\r\n",
    b"no field\r\n",
    b"X: =?utf-8?q?=EF=B7=BA?=\r\n",
    b"X: \xef\xb7\xba\xef\xb7\xba\r\n",
    b"y",
)
BODIES = (
    ("plain", "x"),
    ("plain", "x "),
    ("plain", "line\r\n"),
    ("plain", "\ufdfa"),
    ("plain", "\u0301\u0323"),
    ("html", "<p>a"),
    ("html", "<!>"),
    ("html", "<b>x</b>"),
    ("html", "<"),
    ("html", "&amp;"),
    ("html", "<!--"),
)


TOKENS = ("<p>", "<b>", "</b", ">", "a", "b ", "&amp;", "&eacute", "<", "</", "!", "<!--", "--", "<script>")
TOKENS += ("</scr", "ipt>", "<title/>", "</title>", "\n", " ", "é", "\0")


class PauseTests(TestCase):
    """Between two pauses, a limited number of characters is mapped."""

    def longest(self, work: Callable[[Searchable], object], content: bytes) -> int:
        """The most characters that are mapped between two pauses."""
        mapped = longest = 0

        def counted(text: str) -> str:
            nonlocal mapped, longest
            mapped += len(text) + 1
            longest = max(longest, mapped)
            return searched_text(text)

        self.patch(_search, "searched_text", counted)
        self.patch(_searched_texts, "searched_text", counted)
        index = scan(content)
        for _ in work(Searchable(content, index)):  # type: ignore[attr-defined]
            mapped = 0
        self.patch(_search, "searched_text", searched_text)
        self.patch(_searched_texts, "searched_text", searched_text)
        return longest

    def test_headers(self) -> None:
        for line in HEADERS:
            header = line * (SIZE // len(line)) + b"\r\n"
            for content in (
                b"Subject: hello\r\n" + header,
                part("message/rfc822", header),
                mixed(*[part("message/rfc822", header[:50_000])] * 5),
            ):
                for steps in (
                    lambda searched: searched.in_text_steps("MISSING"),
                    lambda searched: searched.in_body_steps("MISS ING"),
                    lambda searched: searched.in_header_steps(b"X", "MISSING"),
                ):
                    self.assertLess(self.longest(steps, content), 50_000, line)

    def test_bodies(self) -> None:
        for subtype, unit in BODIES:
            body = (unit * (SIZE // len(unit.encode()))).encode()
            for content in (text("utf-8", body, subtype), mixed(*[text("utf-8", body[:999], subtype)] * 100)):
                for key in ("MISSING", "MISS ING"):
                    longest = self.longest(lambda searched, key=key: searched.in_body_steps(key), content)  # type: ignore[misc]
                    self.assertLess(longest, 2 * PIECE, unit)

    def test_markup_without_text(self) -> None:
        """Each piece of markup is read between two pauses, even if there is no text in it."""
        for unit in ("<!>", "<p></p>", "<!-- -->", "&nbsp;"):
            content = text("utf-8", (unit * (SIZE // len(unit))).encode(), "html")
            pauses = sum(1 for _ in search(content).in_body_steps(HELLO))
            self.assertGreaterEqual(pauses, SIZE // PIECE, unit)

    def test_many_parts(self) -> None:
        content = mixed(*[text("utf-8", b"x")] * 2000, *[part("a/b", b"x")] * 2000)
        pauses = sum(1 for _ in search(content).in_body_steps(HELLO))
        self.assertGreater(pauses, 40)


class LimitTests(TestCase):
    def test_the_header(self) -> None:
        """As in other headers, fields beyond the limits are no fields."""
        filler = b"X: " + b"y" * 995 + b"\r\n"
        header = b"Subject: hello\r\n" + filler * (HEADER_LIMIT // 1000 + 1) + b"Comments: later\r\n\r\n"
        for content in (header, part("message/rfc822", header)):
            self.assertTrue(search(content).in_text(HELLO))
            self.assertFalse(search(content).in_text("LATER"))
        value = b"hello " + b"y" * FIELD_LIMIT + b" later"
        self.assertTrue(search(b"X: " + value + b"\r\n\r\n").in_header(b"X", HELLO))
        self.assertFalse(search(b"X: " + value + b"\r\n\r\n").in_header(b"X", "LATER"))

    def test_texts_in_all(self) -> None:
        self.patch(_searched_texts, "TEXT_LIMIT", 4 * SIZE)
        filler = b"filler\r\n" * (4 * SIZE // 16)
        content = mixed(
            text("us-ascii", b"hello"), *[text("us-ascii", filler)] * 3, text("us-ascii", b"later")
        )
        self.assertTrue(search(content).in_body(HELLO))
        self.assertFalse(search(content).in_body("LATER"))
        self.assertTrue(search(mixed(text("us-ascii", filler), text("us-ascii", b"later"))).in_body("LATER"))

    def test_types_of_many_parts(self) -> None:
        """Large values of Content-Type are not kept."""
        content = mixed(*[part("a/b; name=" + "n" * 4000, b"x")] * 1000)
        index = scan(content)
        tracemalloc.start()
        self.assertFalse(Searchable(content, index).in_text(HELLO))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        self.assertLess(most, 3 << 20)

    def test_memory(self) -> None:
        """Text that grows eighteen times is never held whole."""
        for subtype, unit in (("plain", "\ufdfa"), ("html", "<p>\ufdfa"), ("html", "<p>a"), ("plain", "a ")):
            content = text("utf-8", (unit * (4 * SIZE // len(unit.encode()))).encode(), subtype)
            index = scan(content)
            tracemalloc.start()
            keys = (HELLO, "HELLO WORLD")
            searched = Searchable(content, index, keys)
            for key in keys:
                self.assertFalse(searched.in_body(key))
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertLess(most, 32 * SIZE, unit)


class PiecesTests(SynchronousTestCase):
    """A large text is found in pieces where it would be found as a whole."""

    def test_keys_across_pieces(self) -> None:
        for charset, filler in (
            ("utf-8", "é"),
            ("utf-16", "é"),
            ("utf-16le", "\u0a0a"),
            ("iso-2022-jp", "\u3042\n"),
            ("big5", "\u4e00\n"),
            ("utf-8", "\r\n"),
            ("us-ascii", "a"),
        ):
            for around in range(PIECE - 30, PIECE + 30, 7):
                count = around // len(filler.encode(charset.removesuffix("us-ascii") or "ascii"))
                body = filler * count + " Hello \t\r\n wide   World " + filler * PIECE
                searched = search(text(charset, body.encode(charset)))
                for key in ("HELLO", "HELLO WIDE WORLD", " HELLO ", "WIDE"):
                    self.assertTrue(searched.in_body(key), (charset, around, key))
                self.assertFalse(searched.in_body("HELLOWIDE"), charset)

    def test_keys_larger_than_pieces(self) -> None:
        words = "".join(f"{number} " for number in range(2 * PIECE))
        searched = search(text("us-ascii", words.encode()))
        self.assertTrue(searched.in_body(words[100 : 100 + 5 * PIECE]))
        self.assertFalse(searched.in_body(words[100 : 100 + 5 * PIECE] + "x"))

    def test_a_text_ends_where_the_next_begins(self) -> None:
        filler = b"filler " * PIECE
        searched = search(mixed(text("us-ascii", filler + b"hello"), text("us-ascii", b"world" + filler)))
        for key, found in (
            ("HELLO ", True),
            ("HELLOWORLD", False),
            ("HELLO WORLD", False),
            (" WORLDFILLER", True),
        ):
            self.assertEqual(searched.in_body(key), found, key)

    def test_byte_order_marks(self) -> None:
        body = "Hello, wörld\n" * 5000
        for octets in (body.encode("utf-16"), body.encode("utf-8-sig")):
            content = text("iso-8859-1", octets)
            index = Index.load(scan(content).dump())
            pieces = list(text_pieces(content, index.root, TEXT_LIMIT))
            self.assertGreater(len(pieces), 2)
            self.assertEqual("".join(pieces), body)

    def test_a_text_that_is_not_kept_is_made_once_for_all_keys(self) -> None:
        made = []
        self.patch(_searched_texts, "text_pieces", lambda *given: made.append(1) or text_pieces(*given))
        body = b"filler " * (KEPT // 3) + b"hello  world"
        content = text("us-ascii", body)
        keys = ["HELLO", "MISSING", "LLO WORLD", "MISSING TOO", ""]
        searched = Searchable(content, scan(content), keys)
        for _ in range(2):
            for key in keys:
                self.assertEqual(searched.in_body(key), "MISSING" not in key)
                self.assertEqual(searched.in_text(key), "MISSING" not in key)
        self.assertEqual(len(made), 1)
        self.assertTrue(searched.in_body("WORLD"))
        self.assertEqual(len(made), 2)  # nobody said that this key would be asked for

    def test_a_text_is_made_only_as_far_as_it_is_needed(self) -> None:
        content = text("us-ascii", b"hello " + b"filler " * (KEPT // 8))
        pauses = sum(1 for _ in search(content).in_body_steps(HELLO))
        self.assertLess(pauses, 3)

    def test_a_date_is_read_once(self) -> None:
        read: list[bytes] = []
        self.patch(_search, "parse_date", lambda value: read.append(value) or parse_date(value))
        for header in (
            b"Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nDate: x\r\n\r\n",
            b"Date: x\r\n\r\n",
            b"\r\n",
        ):
            del read[:]
            searched = search(header)
            for _ in range(2):
                sent = searched.sent()
                self.assertEqual(sent and sent.day, 7 if b"Feb" in header else None)
            self.assertLessEqual(len(read), 1)

    def test_a_message_is_forgotten_at_once(self) -> None:
        content = mixed(text("us-ascii", b"x " * 20_000), text("us-ascii", b"y"))
        searched = search(content)
        searched.in_text(HELLO)
        gone = weakref.ref(searched)
        gc.disable()
        self.addCleanup(gc.enable)
        del searched
        self.assertIsNone(gone())

    def test_what_is_kept_is_the_same(self) -> None:
        for unit in ("hello <b>x</b>\n", "\ufdfa "):
            for size in (PIECE // 2, 3 * PIECE, 10 * SIZE):
                searched = search(text("utf-8", (unit * (size // len(unit.encode()))).encode(), "html"))
                for _ in range(2):
                    self.assertEqual(searched.in_body(HELLO), "hello" in unit)
                    self.assertFalse(searched.in_body("HELLO Y"))

    @given(st.lists(st.sampled_from(TOKENS)), st.integers(1, 9))
    def test_html(self, tokens: list[str], size: int) -> None:
        source = "".join(tokens)
        reader = HTMLText()
        pieces = [reader.read(source[at : at + size]) for at in range(0, len(source), size)]
        self.assertEqual("".join([*pieces, reader.read("", is_last=True)]), html_text(source))


class MarksTests(TestCase):
    def test_marks_of_real_text_are_sorted(self) -> None:
        for filler in range(140):
            self.assertEqual(casemap("é" * filler + "a\u0301\u0323"), casemap("é" * filler + "a\u0323\u0301"))

    def test_many_marks_take_linear_time(self) -> None:
        """Normalisation sorts the marks on one character, in quadratic time: 50,000 took 2 s."""
        for unit in ("\u0301\u0323", "\u0f73", "\u0344\u0323"):
            self.assertEqual(len(casemap(unit * 100_000)) % 100_000, 0)
