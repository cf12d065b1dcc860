"""Addresses as they are written, and as ENVELOPE shows them."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from mailproto.message import (
    ADDRESSES_LIMIT,
    Mailbox,
    _address_parser,
    _envelope,
    parse_addresses,
    summarise_steps,
)
from mailproto.message._address_tokens import Tokens
from mailproto.message._addresses import address_steps, find_addresses, has_fault

GROUP_END = (None, None, None, None)


class AddressTestCase(TestCase):
    def check(self, value: bytes, *expected: tuple[bytes | None, ...]) -> None:
        self.assertEqual([tuple(mailbox) for mailbox in parse_addresses(value)], list(expected))


class CostTests(AddressTestCase):
    def most_at_once(self, value: bytes) -> int:
        """The most tokens that are read without a pause."""
        counts = [0]
        read = Tokens.next

        def counted(tokens: Tokens) -> tuple[int, bytes]:
            counts[-1] += 1
            return read(tokens)

        self.patch(Tokens, "next", counted)
        steps = address_steps(value)
        while next(steps, self) is not self:
            counts.append(0)
        self.assertGreater(sum(counts), 2000)
        return max(counts)

    def test_others_have_their_turn_within_an_address(self) -> None:
        for value in (
            b"a  " * 9000 + b"<a@b>",
            b'"a" ' * 9000 + b"<a@b>",
            b"(a)" * 9000 + b"a@b",
            b"a . " * 9000 + b"@b",
            b"a@" + b"b . " * 9000 + b"c",
            b"a" + b" " * 1000 + b"<" * 9000,
            (b"a  " * 400 + b"<a@b>,") * 20,
            b"group: " + (b"a  " * 400 + b"<a@b>,") * 20,
            b"group: a, " + b"b " * 9000,
            b"a@b," * 100 + b"c " * 9000,
        ):
            self.assertLess(self.most_at_once(value), 1200, value[:20])

    def test_each_id_of_an_envelope_is_rendered_once(self) -> None:
        """And others have their turn between the two fields."""
        rendered = [0]
        envelope: Any = _envelope
        render = envelope.ids_text

        def counted(value: bytes) -> bytes:
            rendered[-1] += 1
            return render(value)

        self.patch(envelope, "ids_text", counted)
        ids = b"<(a)>" * 3000
        header = b"In-Reply-To: %b\r\nMessage-ID: %b\r\nTo: %b\r\n\r\n" % (ids, ids, b"a@b," * 2000)
        steps = summarise_steps(header)
        while next(steps, self) is not self:
            rendered.append(0)
        self.assertEqual((sum(rendered), max(rendered)), (2, 1))

    def test_reading_ahead_changes_nothing(self) -> None:
        self.patch(_address_parser, "_COST_AT_ONCE", 2)
        for value in (
            b"a b c <d@e> f, g h i j",
            b"a@b c d e f",
            b"> a b <c@d>, > e f <g@h>",
            b"g: a b c, d e f;",
        ):
            ahead = parse_addresses(value), find_addresses(value)
            with_room = parse_addresses(value + b", x@y" * 3)
            self.patch(_address_parser, "_COST_AT_ONCE", 500)
            self.assertEqual((parse_addresses(value), find_addresses(value)), ahead)
            self.assertEqual(parse_addresses(value + b", x@y" * 3), with_room)
            self.patch(_address_parser, "_COST_AT_ONCE", 2)


class WellFormedTests(AddressTestCase):
    def test_a_bare_address(self) -> None:
        self.check(b"a@b.example", (None, None, b"a", b"b.example"))

    def test_a_display_name(self) -> None:
        self.check(b"Joe Q. Public <joe@x>", (b"Joe Q. Public", None, b"joe", b"x"))

    def test_a_quoted_display_name_is_unquoted(self) -> None:
        self.check(b'"Doe, \\"J\\" Jane" <j@x>', (b'Doe, "J" Jane', None, b"j", b"x"))

    def test_a_comment_is_the_name_of_a_bare_address(self) -> None:
        self.check(b"j@x (Jane (nee) Doe)", (b"Jane (nee) Doe", None, b"j", b"x"))

    def test_a_comment_beside_angle_brackets_is_nothing(self) -> None:
        self.check(b"(c) <a@b> (d), e@f", (None, None, b"a", b"b"), (None, None, b"e", b"f"))

    def test_a_list(self) -> None:
        self.check(b"a@b,\r\n c <d@e>", (None, None, b"a", b"b"), (b"c", None, b"d", b"e"))

    def test_a_group(self) -> None:
        self.check(
            b"g: a@b, c@d;, e@f",
            (None, None, b"g", None),
            (None, None, b"a", b"b"),
            (None, None, b"c", b"d"),
            GROUP_END,
            (None, None, b"e", b"f"),
        )

    def test_an_empty_group(self) -> None:
        self.check(b"Undisclosed recipients:;", (None, None, b"Undisclosed recipients", None), GROUP_END)

    def test_a_domain_literal(self) -> None:
        for value in (b"a@[192.0.2.1]", b"a@[192.0\r\n\t.2.1]", b"<a@\r\n [192.0.2.1\n ]>"):
            [mailbox] = parse_addresses(value)
            self.assertEqual((mailbox.host or b"").translate(None, b" \t"), b"[192.0.2.1]")

    def test_an_empty_quoted_local_part(self) -> None:
        self.check(b'""@b', (None, None, b"", b"b"))

    def test_eight_bit_octets_are_letters(self) -> None:
        self.check(b"\xc3\xa9 <\xc3\xa9@\xc3\xa9>", (b"\xc3\xa9", None, b"\xc3\xa9", b"\xc3\xa9"))

    def test_encoded_words_stay(self) -> None:
        self.check(b"=?utf-8?q?a_b?= <a@b>", (b"=?utf-8?q?a_b?=", None, b"a", b"b"))

    def test_the_fields_have_names(self) -> None:
        self.assertEqual(parse_addresses(b"n <l@h>"), [Mailbox(name=b"n", route=None, local=b"l", host=b"h")])


class ObsoleteTests(AddressTestCase):
    """RFC 5322 4.4."""

    def test_a_source_route(self) -> None:
        self.check(b"n <@a,@b:c@d>", (b"n", b"@a,@b", b"c", b"d"))

    def test_a_source_route_of_nothing(self) -> None:
        self.check(b"<@:a@b>", (None, b"INVALID_ROUTE", b"MISSING_MAILBOX", b"SYNTAX_ERROR"))

    def test_white_space_and_comments_around_dots(self) -> None:
        self.check(b"a . (x) b@c . d", (b"x", None, b"a.b", b"c.d"))

    def test_a_quoted_word_in_a_local_part(self) -> None:
        self.check(b'"a b".c@d', (None, None, b"a b.c", b"d"))

    def test_empty_elements_are_shown(self) -> None:
        missing = (None, None, b"MISSING_MAILBOX", b"MISSING_DOMAIN")
        self.check(b"a@b,,c@d,", (None, None, b"a", b"b"), missing, (None, None, b"c", b"d"))


class BrokenTests(AddressTestCase):
    """Answers are those of Dovecot 2.3, where no RFC has one."""

    def test_no_domain(self) -> None:
        self.check(b"root", (None, None, b"root", b"MISSING_DOMAIN"))

    def test_words_alone_are_a_name(self) -> None:
        self.check(b"a b c", (b"a b c", None, b"MISSING_MAILBOX", b"MISSING_DOMAIN"))

    def test_empty_angle_brackets(self) -> None:
        self.check(b"x <>", (b"x", None, b"MISSING_MAILBOX", b"MISSING_DOMAIN"))

    def test_an_angle_bracket_that_never_closes(self) -> None:
        self.check(b"<a@b", (None, None, b"a", b"SYNTAX_ERROR"))

    def test_a_quote_that_never_closes(self) -> None:
        self.check(b'"a <b@c>', (None, None, b"MISSING_MAILBOX", b"MISSING_DOMAIN"))

    def test_a_comment_that_never_closes_leaves_nothing(self) -> None:
        self.check(b"(a <b@c>")

    def test_what_follows_garbage_is_lost(self) -> None:
        self.check(b"a@b c@d, e@f", (None, None, b"a", b"b"))

    def test_dots_where_there_should_be_none(self) -> None:
        self.check(b"a..b.@c", (None, None, b"a..b.", b"c"))
        self.check(b"a@b..c", (None, None, b"a", b"MISSING_DOMAIN"))

    def test_nothing(self) -> None:
        self.check(b"")
        self.check(b" \r\n\t")

    def test_more_addresses_than_the_limit_are_not_read(self) -> None:
        self.assertEqual(len(parse_addresses(b"a@b," * (ADDRESSES_LIMIT + 5))), ADDRESSES_LIMIT)
        self.assertEqual(len(parse_addresses(b"a b" + b",a@b" * (ADDRESSES_LIMIT + 5))), ADDRESSES_LIMIT)

    def test_little_is_read_of_addresses_in_an_uncommon_form(self) -> None:
        """No address is cut, because half an address is the address of somebody else."""
        many = 2 * ADDRESSES_LIMIT
        for one, shown in (
            (b"(c) a@b . c (x),", (b"x", None, b"a", b"b.c")),
            (b"a@b . c . d . e,", (None, None, b"a", b"b.c.d.e")),
            (b'"a" "b" <c@d> (e),', (b"a b", None, b"c", b"d")),
        ):
            found = parse_addresses(one * many)
            self.assertIn(len(found), range(ADDRESSES_LIMIT // 4, ADDRESSES_LIMIT), one)
            self.assertEqual({*found}, {Mailbox(*shown)})
            found = parse_addresses(b"g:" + one * many + b";")
            self.assertEqual((found[0], found[-1]), (Mailbox(None, None, b"g", None), GROUP_END))
            self.assertEqual({*found[1:-1]}, {Mailbox(*shown)})
            self.assertEqual(len(parse_addresses(one * many, strict=True)), many)

    def test_few_tokens_are_made(self) -> None:
        """Of any field, only some thousand tokens are made, and not many octets are read."""
        made = 0
        read = Tokens._next

        def counted(tokens: Tokens) -> tuple[int, bytes]:
            nonlocal made
            made += 1
            return read(tokens)

        self.patch(Tokens, "_next", counted)
        size = 2 << 20
        for unit in (
            b"<",
            b",",
            b";",
            b"a ",
            b"a,",
            b"()",
            b'""',
            b"a@",
            b"@a:",
            b"[a]",
            b"g:",
            b"g:;",
            b"<a@b",
        ):
            made = 0
            parse_addresses(b"x y, " + unit * (size // len(unit)))
            find_addresses(b"x y, " + unit * (size // len(unit)))
            self.assertLess(made, 11_000, unit)

    def test_addresses_of_the_common_form_after_others_are_read_as_fast(self) -> None:
        """Tokens are made only of what is not of the common form."""
        made = 0
        read = Tokens._next

        def counted(tokens: Tokens) -> tuple[int, bytes]:
            nonlocal made
            made += 1
            return read(tokens)

        self.patch(Tokens, "_next", counted)
        found = parse_addresses(b"(c) a@b, " + b"c <a@b>, " * 1000 + b"g: " + b"a@b," * 500 + b"a@b;")
        self.assertEqual(len(found), 1504)
        self.assertLess(made, 100)


class FindAddressesTests(TestCase):
    """What an application wants of a field that is not valid."""

    def find(self, value: bytes) -> list[tuple[bytes | None, bytes]]:
        return [
            (each.name, (each.local or b"") + b"@" + (each.host or b""))
            for each in find_addresses(value)
            if each.local and each.host and not has_fault(each)
        ]

    def test_names_that_should_be_quoted(self) -> None:
        for value, name in (
            (b"a@b.example <c@d.example>", b"a@b.example"),
            (b"Alice [Sales] <c@d.example>", b"Alice [Sales]"),
            (b"Alice (x) @ home <c@d.example> (y)", b"Alice@home"),
            (b"<<c@d.example>>", None),
            (b"A. <c@d.example> <e@f.example>", b"A."),
        ):
            with self.subTest(value=value):
                wanted = [(name, b"c@d.example"), (None, b"g@h.example")]
                self.assertEqual(self.find(value + b", g@h.example"), wanted)
                self.assertEqual(self.find(b"group: " + value + b", g@h.example;"), wanted)

    def test_it_goes_on_after_what_is_no_address(self) -> None:
        for value in (b"a b", b"a@b@c", b"<a@", b"[x]", b"a@b.example c", b"@", b">", b":", b"group: a b;"):
            with self.subTest(value=value):
                self.assertIn((None, b"g@h.example"), self.find(value + b", g@h.example"))

    def test_semicolons_as_in_outlook(self) -> None:
        self.assertEqual(
            self.find(b"a@b.example; c@d.example;"), [(None, b"a@b.example"), (None, b"c@d.example")]
        )

    @settings(max_examples=500, deadline=None)
    @given(
        st.lists(
            st.sampled_from(
                (
                    *(
                        b"a",
                        b"@",
                        b"b",
                        b".",
                        b" ",
                        b",",
                        b";",
                        b":",
                        b"<",
                        b">",
                        b"(c)",
                        b"(",
                        b'"d e"',
                        b'"',
                    ),
                    *(b"[f]", b"g@h", b"<i@j>", b"k <l@m>", b"n: ", b"\\", b"]", b"<@o:"),
                )
            ),
            max_size=12,
        ).map(b"".join)
    )
    def test_valid_fields_are_the_same_to_both(self, value: bytes) -> None:
        found = find_addresses(value)
        try:
            strict = parse_addresses(value, strict=True)
        except ValueError:
            return
        self.assertEqual(found, strict)
