"""Commands that a user adds to a POP3 server."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection.commands import ServerCommand, State
from mailproto.errors import MailError, Refused
from mailproto.pop3.limits import POP3Limits
from mailproto.testing import FEEDS
from tests.own_commands import dialogue

SIGNED_IN = "S: +OK ...\nC: USER alice\nS: +OK ...\nC: PASS secret\nS: +OK ...\n"


def xecho(session: Any, argument: str) -> str:
    return f"{argument!r} in the state {session.state.name}"


def play(transcript: str, commands: Any, feed: Any = "turns", **options: Any) -> Any:
    played = dialogue("pop3", commands=commands, feed=feed, **options)
    played.play(transcript)
    return played


class OwnCommandTests(SynchronousTestCase):
    def reply(self, result: Any) -> str:
        played = play(SIGNED_IN + "C: XECHO a b\n...", {"XECHO": lambda session, argument: result})
        return bytes(played.connections[""].read()).decode()

    def test_in_five_lines(self) -> None:
        for feed in FEEDS:
            play(
                SIGNED_IN
                + "C: xecho  a b \nS: +OK ' a b ' in the state AUTHENTICATED\nC: QUIT\nS: +OK ...\nS closes",
                {"XECHO": xecho},
                feed,
            )

    def test_each_kind_of_result(self) -> None:
        for result, reply in (
            (None, "+OK\r\n"),
            ("a\r\n-ERR forged\u00e9", "+OK a??-ERR forged?\r\n"),
            ("x" * 1000, f"+OK {'x' * 506}\r\n"),
            (["two lines", "one", ".two"], "+OK two lines\r\none\r\n..two\r\n.\r\n"),
            (["none"], "+OK none\r\n.\r\n"),
            (succeed(["é", "é"]), "+OK ?\r\né\r\n.\r\n"),
        ):
            with self.subTest(result):
                self.assertEqual(self.reply(result), reply)

    def test_wrong_results_are_errors_that_say_so(self) -> None:
        for wrong in (False, 1, b"x", [], [b"x"], ["x", "a\r\n.\r\n+OK"]):
            with self.subTest(wrong):
                self.assertEqual(self.reply(wrong)[:5], "-ERR ")
                [failure] = self.flushLoggedErrors()
                self.assertIn("the handler of XECHO returned", str(failure.value))

    def test_states(self) -> None:
        play(
            "S: +OK ...\nC: XECHO\nS: -ERR Not before login\nC: XONE\nS: +OK 'a' ...\n".replace(
                "XONE", "XONE a"
            )
            + SIGNED_IN.partition("\n")[2]
            + "C: XONE\nS: -ERR Not after login\nC: XECHO\nS: +OK ...",
            {"XECHO": xecho, "XONE": ServerCommand(xecho, states=State.NOT_AUTHENTICATED)},
        )

    def test_a_name_is_forgotten_as_by_any_command(self) -> None:
        play(
            "S: +OK ...\nC: USER alice\nS: +OK ...\nC: XECHO\nS: +OK ...\n"
            "C: PASS secret\nS: -ERR USER comes first",
            {"XECHO": ServerCommand(xecho, states=State.ANY)},
        )

    def test_capa(self) -> None:
        for start in ("S: +OK ...\n", SIGNED_IN):
            played = play(start + "C: CAPA\n...", {"XECHO": xecho}, capabilities=["XECHO 1"])
            self.assertIn("\r\nXECHO 1\r\nIMPLEMENTATION", played.connections[""].read().decode())

    def test_one_that_is_replaced(self) -> None:
        play(SIGNED_IN + "C: LIST 1\nS: +OK '1' ...", {"LIST": ServerCommand(xecho, replaces=True)})

    def test_refusals_and_arguments_that_are_no_text(self) -> None:
        def refuse(session: Any, argument: str) -> None:
            raise MailError("Not today")

        play(
            SIGNED_IN + "C: XNO\nS: -ERR Not today\nC~: XNO \udcff\u240d\u240a\nS: -ERR XNO: not UTF-8",
            {"XNO": refuse},
        )

    def test_bad_commands_are_those_in_a_row(self) -> None:
        play(
            "S: +OK ...\nC: FOO\nS: -ERR ...\nC: XECHO\nS: +OK ...\nC: FOO\nS: -ERR ...\n"
            "C: XECHO\nS: +OK ...",
            {"XECHO": ServerCommand(xecho, states=State.ANY)},
            limits=POP3Limits(bad_commands=2),
        )
        play(
            "S: +OK ...\nC: XECHO\nS: -ERR ...\nC: XECHO\nS: -ERR ...\n"
            "S: -ERR Too many bad commands\nS closes",
            {"XECHO": xecho},
            limits=POP3Limits(bad_commands=2),
        )

    def test_account_and_closing(self) -> None:
        def bye(session: Any, argument: str) -> str:
            session.close()
            return session.account.name

        play(SIGNED_IN + "C: XBYE\nC: NOOP\nS: +OK alice\nS closes", {"XBYE": bye})

    def test_closing_with_a_refusal(self) -> None:
        def no(session: Any, argument: str) -> str:
            session.close()
            raise Refused(550, "5.7.1", "No")

        play(SIGNED_IN + "C: XBYE\nC: NOOP\nS: -ERR No\nS closes", {"XBYE": no})
