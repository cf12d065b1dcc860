"""Commands about the session: LOGIN, AUTHENTICATE, ID, ENABLE, and those without arguments."""

import re
from itertools import product

from mailproto.imap.wire import NO_ARGUMENTS, Authenticate, Command, Enable, Id, Login
from tests.imap.wire.feed import WireTestCase, Wrong, feed


class NoArgumentsTests(WireTestCase):
    NAMES = b"CAPABILITY NOOP LOGOUT STARTTLS CHECK CLOSE UNSELECT EXPUNGE IDLE NAMESPACE".split()

    def test_each_name_in_any_case(self) -> None:
        for name in self.NAMES:
            expected = Command("a1", name.decode(), False, NO_ARGUMENTS)
            self.assertEqual(self.parse(name), expected)
            self.assertEqual(self.parse(name.lower()), expected)

    def test_a_trailing_space_does_no_harm(self) -> None:
        self.assertEqual(self.parse(b"NOOP ").arguments, NO_ARGUMENTS)

    def test_arguments_are_refused(self) -> None:
        self.assert_bad([name + b" 1" for name in self.NAMES])


class UnknownCommandTests(WireTestCase):
    def test_unknown_commands_are_bad_with_their_tag(self) -> None:
        self.assert_bad([b"FROBNICATE", b"FETCH2 1", b"UID NOOP", b"UID", b"UID  FETCH 1 FLAGS", b"X(", b""])

    def test_without_a_tag_the_answer_is_untagged(self) -> None:
        for line in (
            b"",
            b" NOOP",
            b"(a NOOP",
            b"a+b NOOP",
            b"+ NOOP",
            b'"a" NOOP',
            b"\xe9 NOOP",
            b"*",
            b"a\x00 NOOP",
        ):
            [wrong] = self.events(line + b"\r\n")
            self.assertEqual((wrong.tag, wrong.bad, wrong.fatal), (None, True, False), line)

    def events(self, data: bytes) -> list[Wrong]:
        events = feed(data)
        self.assert_events(data, events)
        return [event for event in events if isinstance(event, Wrong)]

    def test_a_tag_alone_is_tagged(self) -> None:
        self.assertEqual(self.events(b"a1\r\n"), [Wrong("a1", "Expected a command")])

    def test_tags_may_be_anything_but_plus_and_the_specials(self) -> None:
        for tag in (b"1", b"A.0001", b"]", b"a-b_c~!", b"x" * 100):
            self.assert_events(tag + b" NOOP\r\n", [Command(tag.decode(), "NOOP", False, NO_ARGUMENTS)])


class LoginTests(WireTestCase):
    def test_atoms_quoted_strings_and_literals(self) -> None:
        self.assert_table(
            {
                b"LOGIN alice secret": Login(b"alice", b"secret"),
                b'login "alice" "sec ret"': Login(b"alice", b"sec ret"),
                b'LOGIN "" "a\\"b\\\\c"': Login(b"", b'a"b\\c'),
                b'LOGIN alice@example.org "\xc3\xa9"': Login(b"alice@example.org", b"\xc3\xa9"),
                b"LOGIN {5+}\r\nalice {3+}\r\na b": Login(b"alice", b"a b"),
                b"LOGIN {0+}\r\n {2+}\r\n\r\n": Login(b"", b"\r\n"),
                b"LOGIN alice ]": Login(b"alice", b"]"),
                b"LOGIN zo\xc3\xab@b.c \xff": Login(b"zo\xc3\xab@b.c", b"\xff"),
            }
        )

    def test_what_is_not_two_strings_is_bad(self) -> None:
        self.assert_bad(
            [
                b"LOGIN",
                b"LOGIN alice",
                b"LOGIN alice ",
                b"LOGIN alice  secret",
                b"LOGIN alice secret more",
                b'LOGIN alice "secret',
                b'LOGIN alice "a\\b"',
                b'LOGIN alice "a\\',
                b'LOGIN alice "a"b',
                b"LOGIN alice a*",
                b"LOGIN alice (a)",
                b"LOGIN alice \x7f",
                b"LOGIN {5+}\r\nalicesecret",
                b"LOGIN alice {1+}\r\n\x00",
            ]
        )

    def test_secrets_are_in_no_repr(self) -> None:
        self.assertNotIn("secret", repr(self.parse(b"LOGIN alice secret")))
        self.assertNotIn("c2VjcmV0", repr(self.parse(b"AUTHENTICATE PLAIN c2VjcmV0")))
        wrong = self.refusal(b"LOGIN alice secret secret")
        self.assertNotIn("secret", repr(wrong))


class AuthenticateTests(WireTestCase):
    def test_mechanism_and_initial_response(self) -> None:
        self.assert_table(
            {
                b"AUTHENTICATE plain": Authenticate("PLAIN"),
                b"AUTHENTICATE SCRAM-SHA-256": Authenticate("SCRAM-SHA-256"),
                b"AUTHENTICATE PLAIN AGEAYg==": Authenticate("PLAIN", b"AGEAYg=="),
                b"AUTHENTICATE EXTERNAL =": Authenticate("EXTERNAL", b"="),
                b"AUTHENTICATE LOGIN ": Authenticate("LOGIN"),  # Dovecot's client
            }
        )

    def test_what_is_not_base64_is_bad(self) -> None:
        self.assert_bad(
            [b"AUTHENTICATE", b"AUTHENTICATE PLAIN a b", b"AUTHENTICATE PLAIN (", b"AUTHENTICATE PLAIN ==="]
        )


class EnableTests(WireTestCase):
    def test_names_are_upper_case(self) -> None:
        self.assert_table({b"ENABLE condstore X-Y=Z": Enable(("CONDSTORE", "X-Y=Z"))})

    def test_there_must_be_one(self) -> None:
        self.assert_bad([b"ENABLE", b"ENABLE (CONDSTORE)"])

    def test_there_may_be_some(self) -> None:
        self.assertEqual(len(self.parse(b"ENABLE" + b" X" * 100).arguments.names), 100)
        self.assert_bad([b"ENABLE" + b" X" * 101])


class QuotedTests(WireTestCase):
    def test_a_backslash_before_a_quotation_mark_or_a_backslash(self) -> None:
        for quoted in product((b"a", rb"\"", rb"\\"), repeat=4):
            value = b"".join(quoted)
            login = self.parse(b'LOGIN "%b" b' % value).arguments
            self.assertEqual(login.user, re.sub(rb"\\(.)", rb"\1", value))


class IdTests(WireTestCase):
    def test_nil_and_pairs(self) -> None:
        self.assert_table(
            {
                b"ID NIL": Id(()),
                b"ID nil": Id(()),
                b"ID ()": Id(()),
                b'ID ("name" "x" "version" NIL)': Id((("name", "x"), ("version", None))),
                b'ID ({2+}\r\nos "\xff")': Id((("os", "\ufffd"),)),
            }
        )

    def test_limits_of_rfc_2971(self) -> None:
        pair = b'"n" "v"'
        self.assertEqual(len(self.parse(b"ID (" + b" ".join([pair] * 30) + b")").arguments.fields), 30)
        self.assert_bad(
            [
                b"ID (" + b" ".join([pair] * 31) + b")",
                b'ID ("' + b"n" * 31 + b'" NIL)',
                b'ID ("n" "' + b"v" * 1025 + b'")',
                b"ID",
                b'ID ("name")',
                b"ID (name x)",
                b'ID ("a" "b""c" "d")',
            ]
        )
