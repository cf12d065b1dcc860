"""Commands that a user adds to an IMAP server."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection.commands import ServerCommand, State
from mailproto.errors import MailError, Refused
from mailproto.imap.limits import IMAPLimits
from mailproto.imap.server import BadCommand
from mailproto.imap.wire import IMAPWireLimits
from mailproto.testing import FEEDS
from tests.own_commands import dialogue

SIGNED_IN = "S: * OK ...\nC: a LOGIN alice secret\nS: a OK ...\n"


def xecho(session: Any, arguments: Any) -> str:
    text = arguments.astring()
    arguments.end()
    session.untagged("XECHO", text)
    return "Echoed"


def play(transcript: str, commands: Any, feed: Any = "turns", **options: Any) -> Any:
    played = dialogue("imap", commands=commands, feed=feed, **options)
    played.play(transcript)
    return played


class OwnCommandTests(SynchronousTestCase):
    def test_in_five_lines(self) -> None:
        for feed in FEEDS:
            play(
                SIGNED_IN + 'C: b xEcho "a b"\nS: * XECHO "a b"\nS: b OK Echoed\n'
                "C: c NOOP\nS: c OK NOOP completed",
                {"XECHO": xecho},
                feed,
            )

    def test_literals_do_not_break_framing(self) -> None:
        script = (
            'C: b XECHO {13}\nS: + OK\nC~: x\\"\u240d\u240ac NOOP\u240d\u240a\nC:\n'
            'S: * XECHO {13}\nS: x\\"\nS: c NOOP\nS:\nS: b OK Echoed\n'
            'C: d XECHO {3+}\nC: abc\nS: * XECHO "abc"\nS: d OK Echoed\n'
            'C: e XECHO {0+}\nC:\nS: * XECHO ""\nS: e OK Echoed\n'
        )
        for feed in FEEDS[:3]:
            play(SIGNED_IN + script, {"XECHO": xecho}, feed)

    def test_a_literal_is_not_asked_for_where_the_command_is_not_allowed(self) -> None:
        play(
            "S: * OK ...\nC: a XECHO {3}\nS: a BAD [CLIENTBUG] Not valid in this state\nC: b NOOP\n"
            "S: b OK NOOP completed",
            {"XECHO": xecho},
        )

    def test_limits_of_literals(self) -> None:
        limits = IMAPLimits(wire=IMAPWireLimits(literal_total=5, literals=2))
        play(
            SIGNED_IN + "C: b XECHO {6}\nS: b BAD [TOOBIG] Literals too large\n"
            "C: c XECHO ({1+}\nC: x {1+}\nC: x {1}\nS: c BAD [TOOBIG] Literals too large",
            {"XECHO": xecho},
            limits=limits,
        )

    def test_errors_in_arguments(self) -> None:
        play(
            SIGNED_IN + "C: b XECHO\nS: b BAD Missing argument\n"
            "C: c XECHO a b\nS: c BAD Unexpected characters after the arguments\n"
            "C: d XECHO (\nS: d BAD Expected a string\n"
            "C: e NOOP\nS: e OK NOOP completed",
            {"XECHO": xecho},
        )

    def test_each_kind_of_argument(self) -> None:
        read: list[Any] = []

        def xread(session: Any, arguments: Any) -> None:
            read.extend([arguments.atom(), arguments.number(), arguments.string(), arguments.nstring()])
            read.extend([arguments.nstring(), arguments.text(), arguments.mailbox()])
            read.append(arguments.list_of(arguments.astring))
            read.append(arguments.list_of(lambda: arguments.list_of(arguments.number)))
            read.append(arguments.list_of(arguments.atom))
            read.append(str(arguments.list_of(arguments.sequence_set)))
            arguments.end()

        play(
            SIGNED_IN + 'C: b XREAD abc 12 "x y" NIL "NIL" {2+}\nC~: \u00e9\nC:  inbox (a {1+}\n'
            'C: b "c d") ((1 2) () (3)) () (1:* 2)\nS: b OK XREAD completed',
            {"XREAD": xread},
        )
        self.assertEqual(read[:7], ["ABC", 12, b"x y", None, b"NIL", "é", "INBOX"])
        self.assertEqual(read[7:10], [[b"a", b"b", b"c d"], [[1, 2], [], [3]], []])

    def test_states(self) -> None:
        everywhere = ServerCommand(xecho, states=State.ANY)
        selected = ServerCommand(xecho, states=State.SELECTED)
        bad = "BAD [CLIENTBUG] Not valid in this state\n"
        play(
            "S: * OK ...\n"
            f'C: a XONE x\nS: * XECHO "x"\nS: a OK Echoed\nC: b XTWO x\nS: b {bad}C: c XTHREE x\nS: c {bad}'
            'C: d LOGIN alice secret\nS: d OK ...\nC: e XTWO x\nS: * XECHO "x"\nS: e OK Echoed\n'
            f"C: f XTHREE x\nS: f {bad}C: g SELECT INBOX\nS*: * ...\nS: g OK ...\n"
            'C: h XTHREE x\nS: * XECHO "x"\nS: h OK Echoed',
            {"XONE": everywhere, "XTWO": xecho, "XTHREE": selected},
        )

    def test_before_login_a_name_must_be_known_too(self) -> None:
        play("S: * OK ...\nC: a XOTHER x\nS: a BAD Unknown command", {"XECHO": xecho})

    def test_names_with_digits_and_hyphens(self) -> None:
        play(
            SIGNED_IN
            + 'C: b x-echo.2_a x\nS: * XECHO "x"\nS: b OK Echoed\nC: c NOOP2\nS: c BAD Unknown command',
            {"X-ECHO.2_A": xecho},
        )

    def test_capabilities(self) -> None:
        played = play(
            "S: * OK [CAPABILITY ... XECHO X=1...\n...", {"XECHO": xecho}, capabilities=["XECHO", "X=1"]
        )
        played.play("C: a LOGIN alice secret\nS: a OK [CAPABILITY ... XECHO X=1...] Logged in\n")
        played.play("C: b CAPABILITY\nS: * CAPABILITY ... XECHO X=1...\nS: b OK CAPABILITY completed")

    def test_results(self) -> None:
        for result, told in (
            (None, "XECHO completed"),
            ("[XCODE 1] Done", "[XCODE 1] Done"),
            ("a\r\nc OK forged\u00e9", "a??c OK forged?"),
            (succeed("later"), "later"),
        ):
            play(
                SIGNED_IN + f"C: b XECHO\nS: b OK {told}",
                {"XECHO": lambda session, arguments, result=result: result},
            )
        for wrong in (False, b"x", 1, ["x"]):
            with self.subTest(wrong):
                play(
                    SIGNED_IN + "C: b XECHO\nS: b NO ...",
                    {"XECHO": lambda session, arguments, wrong=wrong: wrong},
                )
                [failure] = self.flushLoggedErrors()
                self.assertIn("the handler of XECHO returned", str(failure.value))

    def test_refusals(self) -> None:
        def refuse(session: Any, arguments: Any) -> None:
            session.untagged("XSOME", 1)
            raise MailError("Not today") if arguments.at_end() else BadCommand("Not like this")

        play(
            SIGNED_IN
            + "C: b XNO\nS: * XSOME 1\nS: b NO Not today\nC: c XNO x\nS: * XSOME 1\nS: c BAD Not like this",
            {"XNO": refuse},
        )

    def test_untagged_values(self) -> None:
        def show(session: Any, arguments: Any) -> None:
            session.untagged("3 XSHOW", "a", b'"\\', 12, None, ["x", [1, None], []], "é", "a\r\nb")

        play(
            SIGNED_IN
            + 'C: b XSHOW\nS: * 3 XSHOW "a" "\\"\\\\" 12 NIL ("x" (1 NIL) ()) {2}\nS: é {4}\nS: a\nS: b\n'
            "S: b OK XSHOW completed",
            {"XSHOW": show},
        )
        for wrong in (("X\r\nY",), ("",), ("X\u00e9",), ("X", "a\0"), ("X", [b"\0"])):
            play(
                SIGNED_IN + "C: b XSHOW\nS: b NO ...",
                {"XSHOW": lambda session, arguments, wrong=wrong: session.untagged(*wrong)},
            )
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_waiting(self) -> None:
        waiting: Deferred[None] = Deferred()

        async def slow(session: Any, arguments: Any) -> None:
            session.untagged("XSLOW")
            await session.flush()
            await waiting

        play(
            SIGNED_IN
            + "C: b XSLOW\nC: c NOOP\nS: * XSLOW\ndo fire\nS: b OK XSLOW completed\nS: c OK NOOP completed",
            {"XSLOW": slow},
            actions={"fire": lambda: waiting.callback(None)},
        )

    def test_session(self) -> None:
        seen: list[Any] = []

        def look(session: Any, arguments: Any) -> str:
            seen.append((session.account.name, session.mailbox.name, session.is_read_only, session.state))
            session.untagged("XLAST")
            session.close()
            return "Bye"

        play(
            SIGNED_IN + "C: b EXAMINE INBOX\nS*: * ...\nS: b OK ...\nC: c XLOOK\nC: d NOOP\n"
            "S: * XLAST\nS: * BYE Logging out\nS: c OK Bye\nS closes",
            {"XLOOK": look},
        )
        self.assertEqual(seen, [("alice", "INBOX", True, State.SELECTED)])

    def test_closing_with_a_refusal(self) -> None:
        def no(session: Any, arguments: Any) -> None:
            session.close()
            raise Refused(550, "5.7.1", "No")

        play(
            SIGNED_IN + "C: b XNOT\nC: c NOOP\nS: b NO No\nS: * BYE Logging out\nS closes",
            {"XNOT": no},
        )

    def test_one_that_is_replaced(self) -> None:
        play(
            SIGNED_IN + 'C: b ID x\nS: * XECHO "x"\nS: b OK Echoed\nC: c NOOP\nS: c OK NOOP completed',
            {"ID": ServerCommand(xecho, replaces=True)},
        )
