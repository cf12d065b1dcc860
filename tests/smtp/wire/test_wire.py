"""What a client sends, as events: the same however it is cut into pieces."""

from __future__ import annotations

import time
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.model import NULL_PATH, Address
from mailproto.smtp.wire import (
    Auth,
    AuthResponse,
    ChunkEnd,
    Data,
    DataChunk,
    DataEnd,
    DataFault,
    Event,
    Hello,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    SMTPServerWire,
    SMTPSyntaxError,
    SMTPWireLimits,
    StartTLS,
    Vrfy,
    XClient,
)
from mailproto.smtp.wire._commands import REMEMBERED

UNSEEN = (
    "\u2028\u2029\u202a\u202e\u2066\u2069\u200e\u061c"  # lines, and directions
    "\u200b\u2060\ufeff\u00ad\u180e\u034f\ufe0f\U000e0041"  # of no width
    "\u00a0\u2003\u3000\u3164\u2800"  # like spaces
    "\ufffe\ufdd0\U0001ffff"  # no characters
)


def play(pieces: Iterable[bytes], *, wire: SMTPServerWire | None = None) -> list[Event | str]:
    """Everything the wire makes of ``pieces``; DATA is always allowed, content and chunks put together."""
    wire = wire or SMTPServerWire()
    said: list[Event | str] = []
    content: list[bytes] = []
    for piece in pieces:
        wire.receive(piece)
        while True:
            try:
                event = wire.next_event()
            except SMTPSyntaxError as error:
                said.append(f"{error.code} {error.enhanced}")
                continue
            if event is None:
                break
            if isinstance(event, DataChunk):
                assert event.octets, "an empty chunk says nothing"
                content.append(event.octets)
                continue
            if isinstance(event, DataEnd):
                # What had come before a fault was found depends on the pieces, and is void.
                octets = b"" if event.fault else b"".join([*content, event.octets])
                event = DataEnd(octets, event.fault)
                content.clear()
            elif isinstance(event, ChunkEnd):
                event = ChunkEnd(b"".join([*content, event.octets]), event.last)
                content.clear()
            elif isinstance(event, Data):
                wire.expect_content()
            said.append(event)
    return said


def octet_by_octet(octets: bytes) -> list[bytes]:
    return [octets[i : i + 1] for i in range(len(octets))]


class EveryWay(SynchronousTestCase):
    """Plays a stream whole, octet by octet, and with octets to spare."""

    def assert_events(self, stream: bytes, *expected: Event | str, **wire: object) -> None:
        for pieces in ([stream], octet_by_octet(stream), [stream[:-1], stream[-1:]]):
            made = SMTPServerWire(**wire)  # type: ignore[arg-type]
            self.assertEqual(play(pieces, wire=made), list(expected))
            self.assertEqual(made.pending, 0)
        made = SMTPServerWire(**wire)  # type: ignore[arg-type]
        self.assertEqual(play([stream + b"NOOP"], wire=made), list(expected))
        self.assertEqual(made.pending, 4)

    def assert_error(self, line: bytes, error: str) -> None:
        self.assert_events(line + b"\r\nNOOP\r\n", error, Noop())


class CommandTests(EveryWay):
    def test_every_verb_in_any_case(self) -> None:
        self.assert_events(b"HELO a.example\r\n", Hello("HELO", "a.example"))
        self.assert_events(b"ehlo [192.0.2.1]\r\n", Hello("EHLO", "[192.0.2.1]"))
        self.assert_events(b"LHLO [IPv6:2001:db8::1]\r\n", Hello("LHLO", "[IPv6:2001:db8::1]"))
        self.assert_events(b"mail from:<a@b>\r\n", Mail(Address("a", "b"), {}))
        self.assert_events(b"Rcpt To:<a@b>\r\n", Rcpt(Address("a", "b"), {}))
        self.assert_events(b"rset\r\nQuit\r\n", Rset(), Quit())
        self.assert_events(b"NOOP anything at all\r\n", Noop())
        self.assert_events(b"VRFY alice\r\nHELP\r\nHELP mail\r\n", Vrfy("alice"), Help(""), Help("mail"))
        self.assert_events(b"STARTTLS\r\n", StartTLS())
        self.assert_events(
            b"xclient addr=IPV6:2001:DB8::1 Helo=a Login=[Unavailable]\r\n",
            XClient({"ADDR": "2001:db8::1", "HELO": "a", "LOGIN": None}),
        )

    def test_white_space_before_the_line_end_is_overlooked(self) -> None:
        self.assert_events(b"RSET \t\r\nEHLO a \r\n", Rset(), Hello("EHLO", "a"))

    def test_arguments_where_none_belong(self) -> None:
        for verb in (b"DATA", b"RSET", b"QUIT", b"STARTTLS"):
            self.assert_error(verb + b" x", "501 5.5.4")

    def test_arguments_that_are_missing(self) -> None:
        for line in (b"HELO", b"EHLO ", b"MAIL", b"RCPT", b"VRFY", b"AUTH", b"MAIL FROM:", b"RCPT TO:"):
            with self.assertRaises(SMTPSyntaxError) as caught:
                self.flush_line(line)
            self.assertEqual(caught.exception.code, 501)

    def flush_line(self, line: bytes) -> None:
        wire = SMTPServerWire()
        wire.receive(line + b"\r\n")
        wire.next_event()

    def test_unknown_commands(self) -> None:
        for line in (b"", b" ", b"FOO", b"MAILFROM:<a@b>", b"\xc3\xa9"):
            self.assert_error(line, "500 5.5.2")

    def test_commands_that_are_known_and_not_done(self) -> None:
        for verb in (b"TURN", b"SEND FROM:<a@b>", b"SOML", b"SAML"):
            self.assert_error(verb, "502 5.5.1")

    def test_a_bare_newline_ends_no_command(self) -> None:
        self.assertEqual(play([b"NOOP\n"]), ["500 5.5.2"])
        self.assert_events(b"NOOP\nQUIT\r\nNOOP\r\n", "500 5.5.2", "500 5.5.2", Noop())
        self.assert_events(b"\n\nNOOP\n\r\nNOOP\r\n", *["500 5.5.2"] * 4, Noop())
        self.assert_error(b"NOOP\rQUIT", "500 5.5.2")
        self.assert_error(b"NOOP\r", "500 5.5.2")

    def test_what_follows_a_bare_newline_may_be_long(self) -> None:
        self.assert_events(b"\n" + b"x" * 5000 + b"\r\nNOOP\r\n", "500 5.5.2", "500 5.5.2", Noop())
        self.assert_events(b"x" * 5000 + b"\nNOOP\r\nNOOP\r\n", "500 5.5.6", "500 5.5.2", Noop())

    def test_control_characters_and_other_encodings(self) -> None:
        self.assert_error(b"NOOP \0", "500 5.5.2")
        self.assert_error(b"EHLO a\x7f", "500 5.5.2")
        for character in "\x80\x85\x9b\x9f":
            self.assert_error(f"RCPT TO:<a{character}@b>".encode(), "500 5.5.2")
            self.assert_error(f"NOOP {character}".encode(), "500 5.5.2")
        self.assert_error(b"MAIL FROM:<\xff@b>", "500 5.5.2")

    def test_a_web_browser_is_told_once_and_for_all(self) -> None:
        for line in (
            b"GET / HTTP/1.1",
            b"POST /x HTTP/1.0",
            b"CONNECT mx.example:25 HTTP/1.1",
            b"PUT / HTTP/2",
        ):
            wire = SMTPServerWire()
            wire.receive(line + b"\r\nHost: mx.example\r\n")
            with self.assertRaises(SMTPSyntaxError) as caught:
                wire.next_event()
            self.assertTrue(caught.exception.fatal)

    def test_names_to_greet_with(self) -> None:
        for name in (b"localhost", b"my_pc", b"a-b.example", b"1.2.3.4", b"[IPv6:::ffff:192.0.2.1]",
                     b"a b", b"-a", b"a.", b"(x)", b"[300.1.1.1]", b"[IPv6:zz]", b"[x", b"\xc3\xa9",
                     b"a" * 255):  # fmt: skip
            self.assert_events(b"EHLO " + name + b"\r\n", Hello("EHLO", name.decode()))
        self.assert_events(b"EHLO \t a\tb \t\r\n", Hello("EHLO", "a b"))
        self.assert_events(b"helo jos\xe9-pc\r\n", Hello("HELO", "jos\\xe9-pc"))
        for name in (b"", b"\t ", b"a" * 256, b"\xc3\xa9" * 128):
            self.assert_error(b"EHLO " + name, "501 5.5.4")
        for name in (b"\x1b", b"a\x0bb", b"\xc2\x85", b"\xff\0"):
            self.assert_error(b"EHLO " + name, "500 5.5.2")


class PathTests(EveryWay):
    def assert_path(self, text: bytes, local: str, domain: str) -> None:
        self.assert_events(b"RCPT TO:" + text + b"\r\n", Rcpt(Address(local, domain), {}))

    def test_plain(self) -> None:
        self.assert_path(b"<Alice+List@Example.ORG>", "Alice+List", "Example.ORG")
        self.assert_path(b"<!#$%&'*+-/=?^_`{|}~@a.b-c.d>", "!#$%&'*+-/=?^_`{|}~", "a.b-c.d")

    def test_quoted_local_parts_lose_their_quotes(self) -> None:
        self.assert_path(b'<"a b\\"@"@d>', 'a b"@', "d")
        self.assert_path(b'<"a>b"@d>', "a>b", "d")
        self.assert_path(b'<"\\a\\\\"@d>', "a\\", "d")
        self.assertEqual(str(Address('a b"@', "d")), '"a b\\"@"@d')

    def test_source_routes_are_dropped(self) -> None:
        self.assert_path(b"<@a,@b.c:u@d>", "u", "d")

    def test_address_literals(self) -> None:
        self.assert_path(b"<u@[192.0.2.1]>", "u", "[192.0.2.1]")
        self.assert_path(b"<u@[IPv6:2001:db8::1]>", "u", "[IPv6:2001:db8::1]")

    def test_international(self) -> None:
        self.assert_path("<用户@例え.jp>".encode(), "用户", "例え.jp")
        self.assert_path('<"ü x"@é.fr>'.encode(), "ü x", "é.fr")

    def test_joiners_where_a_script_needs_them(self) -> None:
        """RFC 5892 A.1 and A.2: Persian, Kannada and Sinhala have them in words."""
        for address in ("علی\u200cرضا@example.ir", "ರಾಜ್\u200cಕುಮಾರ್@example.in", "ශ්\u200dරී@ශ්\u200dරී.lk"):
            local, _, domain = address.partition("@")
            self.assert_path(f"<{address}>".encode(), local, domain)

    def test_what_cannot_be_seen(self) -> None:
        for character in UNSEEN:
            for path in (
                f"<a{character}b@c>",
                f"<a@b{character}c>",
                f'<"a {character}"@c>',
                f"a{character}b@c",
            ):
                with self.subTest(path=ascii(path)):
                    self.assert_error(f"RCPT TO:{path}".encode(), "501 5.1.3")
                    self.assert_error(f"MAIL FROM:{path}".encode(), "501 5.1.7")
            self.assert_error(f"RCPT TO:<a@b> ORCPT=utf-8;a{character}b@c".encode(), "501 5.5.4")

    def test_joiners_elsewhere(self) -> None:
        for joiner in "\u200c\u200d":
            for address in (f"a{joiner}b@c", f"{joiner}علی@c", f"علی{joiner}@c", f"ü@b{joiner}c"):
                self.assert_error(f"RCPT TO:<{address}>".encode(), "501 5.1.3")
        self.assert_error("RCPT TO:<علی\u200dرضا@c>".encode(), "501 5.1.3")

    def test_the_reply_says_which_character(self) -> None:
        wire = SMTPServerWire()
        wire.receive("RCPT TO:<a\u202eb@c>\r\n".encode())
        error = self.assertRaises(SMTPSyntaxError, wire.next_event)
        self.assertEqual(error.text, "An address cannot have U+202E (RIGHT-TO-LEFT OVERRIDE)")

    def test_what_python_does_not_know_yet_is_a_letter(self) -> None:
        """Scripts are added to Unicode each year; U+2FE0 is not assigned."""
        self.assert_path("<\u2fe0@b>".encode(), "\u2fe0", "b")

    def test_the_null_path_sends_and_does_not_receive(self) -> None:
        self.assert_events(b"MAIL FROM:<>\r\n", Mail(NULL_PATH, {}))
        self.assert_error(b"RCPT TO:<>", "501 5.1.3")

    def test_postmaster_receives_without_domain_in_any_case_and_does_not_send(self) -> None:
        self.assert_path(b"<pOstmaster>", "pOstmaster", "")
        self.assert_error(b"MAIL FROM:<postmaster>", "501 5.1.7")

    def test_spaces_before_a_path_are_overlooked(self) -> None:
        self.assert_path(b"  <a@b>", "a", "b")
        self.assert_events(b"MAIL FROM: <> SIZE=1\r\n", Mail(NULL_PATH, {"SIZE": "1"}))

    def test_what_is_no_path(self) -> None:
        for path in (
            b"<a@b", b"a@b>", b"<a>", b"<a@>", b"<@b>", b"<a@b>x", b"<a b@c>",
            b"<a@b..c>", b"<a@.b>", b"<a@-b>", b"<a@b->", b"<a@b..>",
            b'<"a@b>', b'<a"b"@c>',
            b"<a@[1.2.3]>", b"<a@[IPv6:1]>", b"<a@[x-tag:y]>", b"<a@b@c>", b"<@a:>", b"<@a,b:u@d>",
            b"<<a@b>>",
        ):  # fmt: skip
            self.assert_error(b"RCPT TO:" + path, "501 5.1.3")
            self.assert_error(b"MAIL FROM:" + path, "501 5.1.7")

    def test_lengths(self) -> None:
        label = b"d" * 60
        domain = b".".join([label] * 3)
        self.assert_path(b"<" + b"a" * 64 + b"@" + domain + b">", "a" * 64, domain.decode())
        self.assert_path(b"<" + b"a" * 128 + b"@b>", "a" * 128, "b")
        self.assert_error(b"RCPT TO:<" + b"a" * 129 + b"@b>", "501 5.1.3")
        self.assert_error(b"RCPT TO:<a@" + b".".join([b"d" * 63] * 4) + b".d>", "501 5.1.3")
        self.assert_error(b"RCPT TO:<" + b"a" * 60 + b"@" + domain + b".ddddddddddd>", "501 5.1.3")
        self.assert_events(
            b"RCPT TO:<" + b"a" * 129 + b"@b>\r\n",
            Rcpt(Address("a" * 129, "b"), {}),
            limits=SMTPWireLimits(local_part=129),
        )

    def test_labels_have_63_octets_at_most(self) -> None:
        label = "d" * 63
        self.assert_path(f"<a@{label}.{label}>".encode(), "a", f"{label}.{label}")
        for domain in (f"{label}d", f"{label}d.com", f"x.{label}d"):
            self.assert_error(f"RCPT TO:<a@{domain}>".encode(), "501 5.1.3")
            self.assert_error(f"RCPT TO:<@{domain}:a@b>".encode(), "501 5.1.3")

    def test_how_long_they_may_be_is_a_setting(self) -> None:
        for limits in (SMTPWireLimits(local_part=4), SMTPWireLimits(domain=4), SMTPWireLimits(path=12)):
            self.assert_events(b"RCPT TO:<abcd@efgh>\r\n", Rcpt(Address("abcd", "efgh"), {}), limits=limits)
            self.assert_events(b"RCPT TO:<abcde@fghij>\r\n", "501 5.1.3", limits=limits)
        self.assert_events(b"HELO abcd\r\n", Hello("HELO", "abcd"), limits=SMTPWireLimits(domain=4))
        self.assert_events(b"HELO abcde\r\n", "501 5.5.4", limits=SMTPWireLimits(domain=4))

    def test_a_route_does_not_count(self) -> None:
        self.assert_path(b"<" + b",".join([b"@r.example"] * 30) + b":u@d>", "u", "d")


class ParameterTests(EveryWay):
    def test_keywords_in_upper_case_values_as_they_are(self) -> None:
        self.assert_events(
            b"MAIL FROM:<a@b> size=10 Body=8BitMime SMTPUTF8\r\n",
            Mail(Address("a", "b"), {"SIZE": "10", "BODY": "8BitMime", "SMTPUTF8": None}),
        )
        self.assert_events(b"RCPT TO:<a@b> NOTIFY=NEVER\r\n", Rcpt(Address("a", "b"), {"NOTIFY": "NEVER"}))

    def test_syntax(self) -> None:
        for parameters in (
            b"=",
            b"-A=1",
            b"A=",
            b"A==",
            b"A=b=c",
            b"A_B=1",
            b"SIZE=1 SIZE=01",
            b"SIZE=1 SIZE=2 SIZE=1",
            b"A=1 size size=1",
            b"A=b A=B",
        ):
            self.assert_error(b"MAIL FROM:<a@b> " + parameters, "501 5.5.4")

    def test_one_that_is_said_again(self) -> None:
        size = Mail(Address("a", "b"), {"SIZE": "1"})
        self.assert_events(
            b"MAIL FROM:<a@b> BODY=8BITMIME body=8bitmime\r\n", Mail(Address("a", "b"), {"BODY": "8BITMIME"})
        )
        self.assert_events(b"MAIL FROM:<a@b> SIZE=1 SIZE=1\r\nMAIL FROM:<a@b> size=1 Size=1\r\n", size, size)
        self.assert_events(b"MAIL FROM:<> A A\r\n", Mail(NULL_PATH, {"A": None}))

    def test_spaces_tabs_and_nothing_else_part_them(self) -> None:
        for line in (b"MAIL FROM:<>  SIZE=1  A\r\n", b"MAIL FROM:<>\tSIZE=1 \tA\r\n"):
            self.assert_events(line, Mail(NULL_PATH, {"SIZE": "1", "A": None}))
        for space in "\xa0\u2003\u3000\u2028":
            self.assert_error(f"MAIL FROM:<a@b> SIZE=1{space}BODY=8BITMIME".encode(), "501 5.5.4")
            self.assert_error(f"MAIL FROM:<a@b>{space}SIZE=1".encode(), "501 5.1.7")
            self.assert_error(f"XCLIENT ADDR=192.0.2.1{space}PORT=1".encode(), "501 5.5.4")


class MemoryTests(SynchronousTestCase):
    """Lines that came lately are not read again."""

    def heard(self, line: bytes) -> Event:
        """What a new connection makes of a line."""
        wire = SMTPServerWire()
        wire.receive(line + b"\r\n")
        event = wire.next_event()
        assert event is not None
        return event

    def test_what_came_before_means_the_same(self) -> None:
        line = b"MAIL FROM:<a@example.com> SIZE=1"
        first = self.heard(line)
        self.assertIs(self.heard(line), first)
        self.assertIsNot(self.heard(b"MAIL FROM:<a@example.com> SIZE=2"), first)

    def test_nobody_can_change_what_others_will_hear(self) -> None:
        mail = self.heard(b"MAIL FROM:<a@example.com> SIZE=1")
        assert isinstance(mail, Mail)
        with self.assertRaises(TypeError):
            mail.parameters["SIZE"] = "2"  # type: ignore[index]

    def test_secrets_and_long_lines_are_not_kept(self) -> None:
        for line in (b"AUTH PLAIN c2VjcmV0", b"auth plain c2VjcmV0", b"VRFY " + b"a" * 200):
            self.assertEqual(self.heard(line), self.heard(line))
            self.assertIsNot(self.heard(line), self.heard(line))

    def test_mistakes_are_mistakes_again(self) -> None:
        for _ in range(2):
            with self.assertRaises(SMTPSyntaxError):
                self.heard(b"RCPT TO:nobody")

    def test_what_came_longest_ago_is_forgotten(self) -> None:
        first = self.heard(b"NOOP first")
        for number in range(REMEMBERED):
            self.heard(b"VRFY somebody%d" % number)
        self.assertIsNot(self.heard(b"NOOP first"), first)


class LineLengthTests(EveryWay):
    def test_a_long_line_is_refused_once_and_the_next_is_heard(self) -> None:
        self.assert_events(b"NOOP " + b"x" * 2043 + b"\r\n", Noop())
        self.assert_error(b"NOOP " + b"x" * 2044, "500 5.5.6")
        self.assert_error(b"NOOP " + b"x" * 2043 + b"\r", "500 5.5.6")
        self.assert_error(b"x" * 100_000, "500 5.5.6")

    def test_a_line_without_end_takes_no_memory(self) -> None:
        wire = SMTPServerWire()
        for _ in range(400):
            wire.receive(b"x" * 9999 + b"\r")
            self.assertIsNone(wire.next_event())
            self.assertLessEqual(wire.pending, 1)

    def test_a_line_without_end_is_the_last(self) -> None:
        limits = SMTPWireLimits(command_line=10, auth_line=20, swallowed=100)
        for start in (b"", b"\n", b"AUTH ", b"NOOP\n"):
            before = ["500 5.5.2"] * start.count(b"\n")
            begun = start.rpartition(b"\n")[2]
            line = begun + b"x" * (100 - len(begun))
            head = start.removesuffix(begun) if begun else start
            after = ["500 5.5.2" if before else "500 5.5.6", Noop()]
            self.assert_events(head + line + b"\r\nNOOP\r\n", *before, *after, limits=limits)
            stream = head + line + b"x\r\nNOOP\r\n"
            for pieces in ([stream], octet_by_octet(stream), [stream[:-9], stream[-9:]]):
                wire = SMTPServerWire(limits)
                self.assertEqual(play(pieces, wire=wire), [*before, "421 4.7.0"])
                self.assertEqual(wire.pending, 0)

    def test_authentication_has_room(self) -> None:
        token = b"A" * 12288
        self.assert_events(b"AUTH PLAIN " + token + b"\r\n", Auth("PLAIN", token))
        self.assert_error(b"AUTH " + b"P" * 20 + b" " + token + b"A", "500 5.5.6")


class AuthTests(EveryWay):
    def test_mechanism_and_initial_response(self) -> None:
        self.assert_events(b"AUTH login\r\n", Auth("LOGIN", None))
        self.assert_events(b"AUTH PLAIN =\r\n", Auth("PLAIN", b"="))

    def test_syntax(self) -> None:
        for line in (b"AUTH PLAIN a b", b"AUTH " + b"X" * 21, b"AUTH PL@IN"):
            self.assert_error(line, "501 5.5.4")

    def test_a_response_is_a_line_of_its_own(self) -> None:
        for pieces in ([b"QUIT\r\nQUIT\r\n"], octet_by_octet(b"QUIT\r\nQUIT\r\n")):
            wire = SMTPServerWire()
            wire.expect_response()
            self.assertEqual(play(pieces, wire=wire), [AuthResponse(b"QUIT"), Quit()])

    def test_a_response_that_is_too_long(self) -> None:
        for pieces in ([b"A" * 12289 + b"\r\nQUIT\r\n"], octet_by_octet(b"A" * 12289 + b"\r\nQUIT\r\n")):
            wire = SMTPServerWire()
            wire.expect_response()
            self.assertEqual(play(pieces, wire=wire), ["500 5.5.6", Quit()])

    def test_secrets_are_not_shown(self) -> None:
        self.assertNotIn("c2VjcmV0", repr(Auth("PLAIN", b"c2VjcmV0")) + repr(AuthResponse(b"c2VjcmV0")))


class ContentTests(EveryWay):
    def assert_content(self, sent: bytes, octets: bytes, *, normalise: bool = False) -> None:
        self.assert_events(
            b"DATA\r\n" + sent + b"\r\n.\r\nNOOP\r\n",
            Data(), DataEnd(octets + b"\r\n"), Noop(), normalise=normalise,
        )  # fmt: skip

    def test_dots_are_unstuffed(self) -> None:
        self.assert_content(b"a\r\n..b\r\nc", b"a\r\n.b\r\nc")
        self.assert_content(b".b\r\n.c\r\n...", b"b\r\nc\r\n..")
        self.assert_content(b"..\r\n..", b".\r\n.")
        self.assert_content(b"a.b..\r\n\r\n", b"a.b..\r\n\r\n")

    def test_empty(self) -> None:
        self.assert_events(b"DATA\r\n.\r\nNOOP\r\n", Data(), DataEnd(b""), Noop())
        self.assert_events(b"DATA\r\n\r\n.\r\nNOOP\r\n", Data(), DataEnd(b"\r\n"), Noop())

    def test_a_line_may_be_long(self) -> None:
        self.assert_content(b"x" * 5000, b"x" * 5000)

    def test_how_long_a_line_may_be_is_a_setting(self) -> None:
        limits = SMTPWireLimits(text_line=5)
        for lines, fault in (
            (b"12345", None),
            (b"123456", DataFault.LONG_LINE),
            (b"12345\r\n" * 9 + b"\r\n\r\n1\r\n12345", None),
            (b"12345\r\n" * 9 + b"123456\r\n\r\n1", DataFault.LONG_LINE),
            (b"\r\n\r\n1\r\n1234567\r\n\r\n", DataFault.LONG_LINE),
            (b"1" * 50 + b"\r\n1", DataFault.LONG_LINE),
            (b"..2345", None),  # a dot for transparency does not count (RFC 5321 4.5.3.1.6)
            (b"..23456", DataFault.LONG_LINE),
        ):
            octets = b"" if fault else lines.removeprefix(b".") + b"\r\n"
            self.assert_events(
                b"DATA\r\n" + lines + b"\r\n.\r\nNOOP\r\n",
                Data(),
                DataEnd(octets, fault),
                Noop(),
                limits=limits,
            )

    def test_a_line_is_measured_as_it_is_kept(self) -> None:
        self.assert_events(
            b"DATA\r\n1234\n1234\r1234\r\n.\r\n",
            Data(), DataEnd(b"1234\r\n1234\r\n1234\r\n"), limits=SMTPWireLimits(text_line=5), normalise=True,
        )  # fmt: skip

    def test_nothing_but_crlf_dot_crlf_is_the_end(self) -> None:
        for almost in (
            b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\n.\r\r\n", b"\r\r\n.\r",
            b"\n\n.\r\n", b"\r\n.\r\0\n", b"\n.\r\n\n",
        ):  # fmt: skip
            smuggled = b"a" + almost + b"MAIL FROM:<evil@example>\r\n"
            self.assert_events(
                b"DATA\r\n" + smuggled + b"b\r\n.\r\nNOOP\r\n",
                Data(), DataEnd(b"", DataFault.BARE_NEWLINE), Noop(),
            )  # fmt: skip

    def test_a_nul_hides_no_end_and_makes_none(self) -> None:
        for almost in (b"\r\n\0.\r\n", b"\r\n.\0\r\n"):
            self.assert_events(
                b"DATA\r\na" + almost + b"b\r\n.\r\nNOOP\r\n", Data(), DataEnd(b"", DataFault.NUL), Noop()
            )

    def test_cr_cr_lf_is_refused(self) -> None:
        self.assert_events(b"DATA\r\na\r\r\nb\r\n.\r\n", Data(), DataEnd(b"", DataFault.BARE_NEWLINE))
        self.assert_events(b"DATA\r\n\n.\r\n\r\n.\r\n", Data(), DataEnd(b"", DataFault.BARE_NEWLINE))

    def test_bare_newlines_may_be_normalised(self) -> None:
        self.assert_content(b"a\nb\rc\r\r\nd", b"a\r\nb\r\nc\r\n\r\nd", normalise=True)
        self.assert_content(b"a\n.\nb\n.\r\nc", b"a\r\n.\r\nb\r\n.\r\nc", normalise=True)

    def test_after_a_fault_nothing_is_kept(self) -> None:
        wire = SMTPServerWire()
        wire.receive(b"DATA\r\n")
        wire.next_event()
        wire.expect_content()
        wire.receive(b"\n" + b"x" * 1000)
        self.assertIsNone(wire.next_event())
        wire.receive(b"y" * 1000)
        self.assertIsNone(wire.next_event())
        self.assertEqual(wire.pending, 0)


_FRAGMENTS = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b".", b"\r\n.\r\n", b"..", b"\0", b"a", b" ",
     b"DATA\r\n", b"MAIL FROM:<", b"@", b">",
     b"RCPT TO:", b"EHLO x\r\n", b'"', b"\\", b"SIZE=1", b"AUTH PLAIN ", b"\xff", b"[IPv6:", b"]", b"x" * 70]
)  # fmt: skip
_STREAMS = st.lists(st.one_of(_FRAGMENTS, st.binary(max_size=6)), max_size=30).map(b"".join)


class HostileTests(SynchronousTestCase):
    @settings(max_examples=200, deadline=None)
    @given(_STREAMS, st.integers(1, 9), st.booleans())
    def test_pieces_make_no_difference(self, stream: bytes, size: int, normalise: bool) -> None:
        limits = SMTPWireLimits(command_line=40, text_line=7)
        pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
        in_pieces = play(pieces, wire=SMTPServerWire(limits, normalise=normalise))
        self.assertEqual(in_pieces, play([stream], wire=SMTPServerWire(limits, normalise=normalise)))

    def test_octets_that_come_one_by_one_behind_a_running_command_cost_the_same_each(self) -> None:
        def cost(octets: int) -> float:
            wire = SMTPServerWire()
            start = time.process_time()
            for _ in range(octets):
                wire.receive(b"x")
                self.assertGreater(wire.pending, 0)
            return time.process_time() - start

        few = min(cost(1000) for _ in range(3))
        self.assertLess(cost(16_000), 40 * few)  # 256 times, if each looked at all before it

    @settings(max_examples=200, deadline=None)
    @given(st.text(alphabet='<>@,:."\\[]abAB é=- 0\0', max_size=60))
    def test_paths_raise_nothing_else(self, text: str) -> None:
        play([b"MAIL FROM:<" + text.encode() + b"\r\n", b"RCPT TO:" + text.encode() + b"\r\n"])

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.text(alphabet=".ab", max_size=5), max_size=8))
    def test_what_was_stuffed_comes_out_as_it_was(self, lines: list[str]) -> None:
        sent = "".join(f".{line}\r\n" if line.startswith(".") else f"{line}\r\n" for line in lines)
        meant = "".join(f"{line}\r\n" for line in lines)
        self.assertEqual(play([b"DATA\r\n", sent.encode(), b".\r\n"]), [Data(), DataEnd(meant.encode())])
