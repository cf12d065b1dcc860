"""Errors of a client, raised in a delivery: the server's client gets the next hop's very reply."""

from __future__ import annotations

from twisted.logger import LogLevel

from mailproto.client.errors import (
    AuthenticationRefused,
    ClientError,
    CommandRefused,
    ConnectFailed,
    ConnectionLost,
    GreetingRefused,
    NotOffered,
    OutOfOrder,
    ProtocolViolation,
    QueueTimeout,
    ServiceClosing,
    TLSUnavailable,
)
from mailproto.model import Outcome
from mailproto.smtp import SendResult
from mailproto.smtp.errors import AllRefused
from mailproto.smtp.wire import Reply
from tests.mail_log import captured
from tests.smtp.server.test_delivery_calls import (
    QUIT,
    UNTIL_CONTENT,
    UNTIL_MAIL,
    UNTIL_RCPT,
    Answers,
    CallCase,
)


def reply(*lines: str) -> Reply:
    return Reply(int(lines[0][:3]), tuple(line[4:].encode() for line in lines))


LATER = "Temporary failure, try again later"

ANSWERS: list[tuple[ClientError, str]] = [
    (CommandRefused(reply=reply("550 5.1.1 No such user")), "550 5.1.1 No such user"),
    (CommandRefused(reply=reply("450 4.7.1 Greylisted")), "450 4.7.1 Greylisted"),
    (CommandRefused(reply=reply("550 No such user")), "550 5.0.0 No such user"),
    (
        CommandRefused(reply=reply("550-5.7.26 See", "550 5.7.26 there")),
        "550-5.7.26 See\nS: 550 5.7.26 there",
    ),
    (CommandRefused("mx.example: no", reply=reply("550 5.7.1 No")), "550 5.7.1 No"),
    (GreetingRefused("mx.example: 554 no", reply=reply("554 5.3.2 No")), "554 5.3.2 No"),
    (AllRefused(SendResult({"a": Outcome(552, "5.2.2", "Full")})), "552 5.2.2 Full"),
    (NotOffered(Outcome(553, "5.6.7", "No SMTPUTF8")), "553 5.6.7 No SMTPUTF8"),
    (OutOfOrder("`mail` comes first"), f"451 4.5.0 {LATER}"),
    (ConnectFailed("Cannot connect to 10.0.0.1:25"), f"451 4.4.1 {LATER}"),
    (ConnectionLost("Connection lost: 10.0.0.1"), f"451 4.4.2 {LATER}"),
    (QueueTimeout(), f"451 4.4.7 {LATER}"),
    (ProtocolViolation("HTTP", reply=reply("550 5.0.0 What?")), f"451 4.5.0 {LATER}"),
    (AuthenticationRefused(reply=reply("535 5.7.8 Wrong")), f"451 4.7.0 {LATER}"),
    (TLSUnavailable(reply=reply("502 5.5.1 No TLS")), f"451 4.7.4 {LATER}"),
    (ClientError("whatever"), f"451 4.4.0 {LATER}"),
]


class PassingOnTests(CallCase):
    def answers(self, step: str, error: ClientError) -> Answers:
        def fail() -> None:
            raise error

        return Answers(**{step: fail})

    def test_each_step(self) -> None:
        for error, said in ANSWERS:
            for step, transcript in (
                ("sender", UNTIL_MAIL),
                ("recipient", UNTIL_RCPT),
                ("deliver", UNTIL_CONTENT),
            ):
                with self.subTest(error=error, step=step):
                    self.play(self.answers(step, error), f"{transcript}S: {said}\n{QUIT}")
                self.assertEqual(self.flushLoggedErrors(), [])

    def test_the_end_of_the_service(self) -> None:
        """The client learns it, too, and begins again elsewhere (RFC 5321 3.8)."""
        error = ServiceClosing(reply=reply("421 4.3.2 Going down"))
        self.play(self.answers("recipient", error), f"{UNTIL_RCPT}S: 421 4.3.2 Going down\nS closes")

    def test_the_log_has_what_the_client_is_not_told(self) -> None:
        for error, detail in (
            (CommandRefused(reply=reply("550 5.1.1 No such user")), None),
            (CommandRefused("mx.example: 550 no", reply=reply("550 5.1.1 No")), "mx.example: 550 no"),
            (ConnectFailed("Cannot connect to 10.0.0.1:25"), "Cannot connect to 10.0.0.1:25"),
            (AuthenticationRefused(reply=reply("535 5.7.8 Wrong")), "535 5.7.8 Wrong"),
        ):
            with captured() as events:
                self.play(self.answers("recipient", error), f"{UNTIL_RCPT}S: ...\n{QUIT}")
            [event, *_] = [each for each in events if each["kind"] in ("refused", "deferred")]
            self.assertEqual(event.get("detail"), detail)

    def test_a_next_hop_that_cannot_be_reached_is_a_warning(self) -> None:
        with captured() as events:
            self.play(
                self.answers("deliver", ConnectFailed("Cannot connect")), f"{UNTIL_CONTENT}S: ...\n{QUIT}"
            )
        levels = {event["log_level"] for event in events if event["kind"] == "deferred"}
        self.assertEqual(levels, {LogLevel.warn})
