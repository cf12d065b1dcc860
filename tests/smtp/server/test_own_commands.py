"""Commands that a user adds to an SMTP server."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.ssl import CertificateOptions
from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection.commands import ServerCommand, State
from mailproto.errors import Refused
from mailproto.model import Outcome
from mailproto.smtp.limits import SMTPLimits
from mailproto.smtp.server import SMTPServer
from mailproto.smtp.wire import OwnCommand, SMTPServerWire, SMTPSyntaxError
from mailproto.testing import FEEDS
from tests.mail_log import captured, only
from tests.own_commands import dialogue

GREETED = "S: 220 ...\nC: EHLO x\nS*: 250-...\nS: 250 HELP\n"


def xhello(session: Any, argument: str) -> str:
    return f"Hello {argument}, in the state {session.state.name}"


def play(transcript: str, commands: Any, feed: Any = "turns", **options: Any) -> Any:
    played = dialogue("smtp", commands=commands, feed=feed, **options)
    played.play(transcript)
    return played


class ReplyTests(SynchronousTestCase):
    def reply(self, result: Any) -> str:
        """What the client gets for what a handler returns."""
        played = play(GREETED + "C: XHELLO a b\n...", {"XHELLO": lambda session, argument: result})
        return bytes(played.connections[""].read()).decode()

    def test_in_five_lines(self) -> None:
        for feed in FEEDS:
            play(
                GREETED
                + "C: xHello you  there \nS: 250 2.0.0 Hello you  there, in the state NOT_AUTHENTICATED",
                {"XHELLO": xhello},
                feed,
            )

    def test_each_kind_of_result(self) -> None:
        for result, reply in (
            (None, "250 2.0.0 OK\r\n"),
            ("", "250 2.0.0 \r\n"),
            ("a\r\n250 forged\x1b\u00e9", "250-2.0.0 a\r\n250 2.0.0 250 forged??\r\n"),
            ("x" * 500, f"250-2.0.0 {'x' * 480}\r\n250 2.0.0 {'x' * 20}\r\n"),
            (["one", "two\r\n"], "250-2.0.0 one\r\n250 2.0.0 two??\r\n"),
            (Outcome(252, "2.5.0", "Perhaps"), "252 2.5.0 Perhaps\r\n"),
            (Outcome(550, "5.7.1", "No"), "550 5.7.1 No\r\n"),
            (succeed("later"), "250 2.0.0 later\r\n"),
        ):
            with self.subTest(result):
                self.assertEqual(self.reply(result), reply)

    def test_coroutines_wait_and_so_does_the_next_command(self) -> None:
        waiting: Deferred[str] = Deferred()

        async def slow(session: Any, argument: str) -> str:
            return await waiting

        play(
            GREETED + "C: XSLOW\nC: NOOP\ndo fire\nS: 250 2.0.0 done\nS: 250 2.0.0 OK",
            {"XSLOW": slow},
            actions={"fire": lambda: waiting.callback("done")},
        )

    def test_wrong_results_are_errors_that_say_so(self) -> None:
        for wrong in (False, True, 250, b"text", {}, [], [b"x"], Outcome(354, "3.0.0", "go on")):
            with self.subTest(wrong):
                self.assertEqual(self.reply(wrong)[:10], "451 4.3.0 ")
                [failure] = self.flushLoggedErrors()
                self.assertIn("the handler of XHELLO returned", str(failure.value))

    def test_refusals(self) -> None:
        def refuse(session: Any, argument: str) -> None:
            raise Refused(554, "5.7.1", "Not you", detail="a stranger")

        with captured() as events:
            play(GREETED + "C: XHELLO secret\nS: 554 5.7.1 Not you", {"XHELLO": refuse})
        event = only(events, "refused")
        self.assertEqual((event["command"], event["detail"]), ("XHELLO", "a stranger"))
        self.assertNotIn("secret", repr(events))

    def test_an_unexpected_error(self) -> None:
        def fail(session: Any, argument: str) -> None:
            raise ZeroDivisionError

        play(GREETED + "C: XHELLO\nS: 451 4.3.0 ...\nC: NOOP\nS: 250 2.0.0 OK", {"XHELLO": fail})
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_closing(self) -> None:
        def bye(session: Any, argument: str) -> str:
            session.close()
            return "Bye"

        play(GREETED + "C: XBYE\nC: NOOP\nS: 250 2.0.0 Bye\nS closes", {"XBYE": bye})

    def test_closing_with_a_refusal(self) -> None:
        def no(session: Any, argument: str) -> str:
            session.close()
            raise Refused(550, "5.7.1", "No")

        async def later(session: Any, argument: str) -> str:
            return no(session, argument)

        for handler in (no, later):
            play(GREETED + "C: XBYE\nC: NOOP\nS: 550 5.7.1 No\nS closes", {"XBYE": handler})

    def test_codes_that_are_none(self) -> None:
        for code in (0, 100, 354, 600, 700):
            play(
                GREETED + "C: XBAD\nS: 451 4.3.0 ...",
                {"XBAD": lambda session, argument, code=code: Outcome(code, "2.0.0", "x")},
            )
            self.assertTrue(self.flushLoggedErrors(TypeError, ValueError))


class SessionTests(SynchronousTestCase):
    def test_what_it_shows(self) -> None:
        seen: list[Any] = []

        def look(session: Any, argument: str) -> None:
            seen.append((session.name, session.account and session.account.name, session.sender))
            seen.append((session.recipients, session.session.helo, session.is_secure, session.client.address))
            self.assertIsInstance(session.server, SMTPServer)

        play(
            GREETED
            + "C: AUTH PLAIN AGFsaWNlAHNlY3JldA==\nS: 235 ...\nC: MAIL FROM:<a@x.example>\nS: 250 ...\n"
            "C: RCPT TO:<b@y.example>\nS: 250 ...\nC: XLOOK\nS: 250 ...\nC: DATA\nS: 354 ...",
            {"XLOOK": look},
        )
        self.assertEqual(str(seen[0][2]), "a@x.example")
        self.assertEqual(seen[0][:2], ("XLOOK", "alice"))
        self.assertEqual([str(each) for each in seen[1][0]], ["b@y.example"])
        self.assertEqual(seen[1][1:], ("x", True, "127.0.0.1"))


class StateTests(SynchronousTestCase):
    def test_after_login(self) -> None:
        play(
            GREETED + "C: XHELLO\nS: 530 5.7.0 Authentication required\n"
            "C: AUTH PLAIN AGFsaWNlAHNlY3JldA==\nS: 235 ...\nC: XHELLO\n"
            "S: 250 2.0.0 Hello , in the state AUTHENTICATED",
            {"XHELLO": ServerCommand(xhello, states=State.SIGNED_IN)},
        )

    def test_before_login(self) -> None:
        play(
            GREETED + "C: XHELLO\nS: 250 ...\nC: AUTH PLAIN AGFsaWNlAHNlY3JldA==\nS: 235 ...\n"
            "C: XHELLO\nS: 503 5.5.1 Already authenticated",
            {"XHELLO": ServerCommand(xhello, states=State.NOT_AUTHENTICATED)},
        )

    def test_by_default_it_is_where_mail_is(self) -> None:
        play(GREETED + "C: XHELLO\nS: 530 5.7.0 ...", {"XHELLO": xhello}, submission=True)

    def test_before_tls_that_is_required(self) -> None:
        play(
            GREETED + "C: XHELLO\nS: 530 5.7.0 Must issue a STARTTLS command first",
            {"XHELLO": ServerCommand(xhello, states=State.ANY)},
            require_tls=True,
            tls=CertificateOptions(),
        )


class LimitTests(SynchronousTestCase):
    def test_refusals_count_as_errors(self) -> None:
        def refuse(session: Any, argument: str) -> None:
            raise Refused(550, "5.7.1", "No")

        play(
            GREETED
            + "C: XNO\nC: XNO\nS: 550 5.7.1 No\nS: 550 5.7.1 No\nS: 421 4.7.0 Too many errors...\nS closes",
            {"XNO": refuse},
            limits=SMTPLimits(errors=1),
        )

    def test_it_sends_no_mail(self) -> None:
        play(
            GREETED
            + "C: XHELLO\nS: 250 ...\nC: XHELLO\nS: 250 ...\nS: 421 4.7.0 Too many errors...\nS closes",
            {"XHELLO": xhello},
            limits=SMTPLimits(idle_commands=2),
        )

    def test_the_line_is_no_longer_than_others(self) -> None:
        play(GREETED + f"C: XHELLO {'x' * 5000}\nS: 500 5.5.6 Line too long", {"XHELLO": xhello})

    def test_a_reply_of_too_many_lines(self) -> None:
        many = {"XHELLO": lambda session, argument: ["x"] * 101}
        play(GREETED + "C: XHELLO\nS: 451 4.3.0 ...", many)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class AnnouncementTests(SynchronousTestCase):
    def test_ehlo_and_help(self) -> None:
        played = play("S: 220 ...\nC: EHLO x\n...", {"XHELLO": xhello}, capabilities=["XHELLO one two"])
        self.assertIn("250-XHELLO one two\r\n250 HELP", played.connections[""].read().decode())
        play(GREETED + "C: HELP\nS: 214-2.0.0 ... XHELLO HELP QUIT\nS: 214 ...", {"XHELLO": xhello})

    def test_one_that_is_replaced(self) -> None:
        play(
            GREETED + "C: vrfy alice\nS: 250 2.0.0 Hello alice, ...\nC: HELP\n"
            "S: 214-2.0.0 ...RSET NOOP VRFY AUTH HELP"
            " QUIT\nS: 214 ...",
            {"VRFY": ServerCommand(xhello, replaces=True)},
        )


class WireTests(SynchronousTestCase):
    def read(self, line: bytes, **options: Any) -> Any:
        wire = SMTPServerWire(own={"XHELLO", "VRFY"}, **options)
        wire.receive(line + b"\r\n")
        return wire.next_event()

    def test_arguments(self) -> None:
        for line, argument in (
            (b"XHELLO", ""),
            (b"xhello  a  b\t", "a  b"),
            (b"XHELLO\ta", "a"),
            ("XHELLO é".encode(), "é"),
        ):
            self.assertEqual(self.read(line), OwnCommand("XHELLO", argument))
        self.assertEqual(self.read(b"vrfy x"), OwnCommand("VRFY", "x"))
        self.assertEqual(self.read(b"XHELLO a", strict=True), OwnCommand("XHELLO", "a"))

    def test_bad_lines(self) -> None:
        for line in (b"XHELLO \xff", b"XHELLO \x00", b"XHELLO \x1b[2J", b"XHELLOO", b"\xc3\x9fHELLO"):
            with self.subTest(line):
                self.assertRaises(SMTPSyntaxError, self.read, line)

    def test_arguments_are_not_shown(self) -> None:
        self.assertNotIn("secret", repr(OwnCommand("XHELLO", "secret")))

    def test_others_are_unknown(self) -> None:
        wire = SMTPServerWire()
        wire.receive(b"XHELLO\r\n")
        self.assertRaises(SMTPSyntaxError, wire.next_event)


class TimeTests(SynchronousTestCase):
    def test_a_command_that_is_never_done(self) -> None:
        waiting: Deferred[None] = Deferred()

        async def stuck(session: Any, argument: str) -> None:
            await waiting

        with captured() as events:
            play(
                GREETED + "C: XSTUCK\nwait 9 s\nwait 2 s\nS: 451 4.3.0 ...\nC: NOOP\nS: 250 2.0.0 OK",
                {"XSTUCK": stuck},
                limits=SMTPLimits(delivery=10),
            )
        self.assertIn("XSTUCK was not done after 10 seconds", only(events, "deferred")["detail"])
