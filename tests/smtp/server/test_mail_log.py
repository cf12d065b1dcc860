"""What the mail log has of SMTP, submission and LMTP: each message, and each refusal with its cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.ssl import CertificateOptions
from twisted.logger import LogEvent, LogLevel, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from mailproto.errors import RecipientUnknown, Refused, StorageFull, Unavailable
from mailproto.model import Outcome, ServiceExtensions
from mailproto.smtp.limits import SMTPLimits
from mailproto.smtp.lmtp import LMTPServerFactory
from mailproto.smtp.server._trace import lowered, shown_message_id
from mailproto.testing import ELSEWHERE, MemoryTransport
from tests.disk import fill_the_disk
from tests.mail_log import captured, kinds, only, parsed
from tests.smtp.server.dialogue import DialogueTestCase, FakeDelivery
from tests.smtp.server.test_authentication import BAD, GOOD
from tests.smtp.server.test_extensions import PromisingDelivery

CAUSE = "OperationalError: database or disk is full"
FULL = StorageFull(detail=CAUSE)
HEADER = b"Message-ID: <1@client.example>\r\nSubject: hello\r\n\r\n"


class LogTestCase(DialogueTestCase):
    def say(self, *lines: str | bytes, then: str = "QUIT", **settings: Any) -> list[LogEvent]:
        """What is logged of a connection on which a client says ``lines`` after EHLO.

        :param then: what it says at the end; "" to hang up.
        """
        with captured() as events:
            transport = self.connect(**settings)
            for line in ("EHLO client.example", *lines, *([then] if then else [])):
                octets = line if isinstance(line, bytes) else line.encode() + b"\r\n"
                transport.send(octets)
            self.heard = transport.read().decode()
            if transport.is_open:
                transport.drop()
        return events

    def send(
        self, *recipients: str, content: bytes = HEADER + b"text\r\n", **settings: Any
    ) -> list[LogEvent]:
        rcpts = [f"RCPT TO:<{name}@mx.example>" for name in recipients or ("alice",)]
        return self.say("MAIL FROM:<bob@client.example>", *rcpts, "DATA", content + b".\r\n", **settings)


class MessageTests(LogTestCase):
    def test_taken(self) -> None:
        event = only(self.send(), "taken")
        self.assertRegex(self.heard, rf"250 2\.0\.0 Taken as {event['id']}: Kept\r\n")
        self.assertIn(f"id {event['id']}", self.delivery.delivered[0][1].decode())
        self.assertEqual(
            formatEvent(event),
            f"taken id={event['id']} peer=127.0.0.1 protocol=smtp helo=client.example"
            " sender=<bob@client.example> recipients=1 recipient=<alice@mx.example> size=56"
            " message_id=<1@client.example>",
        )

    def test_by_bdat(self) -> None:
        events = self.say(
            "MAIL FROM:<bob@client.example>",
            "RCPT TO:<alice@mx.example>",
            b"BDAT %d\r\n%b" % (len(HEADER), HEADER),
            b"BDAT 6 LAST\r\ntext\r\n",
        )
        event = only(events, "taken")
        self.assertEqual((event["size"], event["message_id"]), (56, "<1@client.example>"))

    def test_submission(self) -> None:
        events = self.say(
            f"AUTH PLAIN {GOOD}",
            "MAIL FROM:<alice@mx.example>",
            "RCPT TO:<bob@mx.example>",
            "DATA",
            b"Subject: hello\r\n\r\n.\r\n",
            submission=True,
            portal=self.portal,
        )
        event = only(events, "taken")
        self.assertEqual((event["account"], event["protocol"]), ("alice", "submission"))
        self.assertEqual(event["message_id"], f"<{event['id']}@mx.example>")  # the one that was added
        self.assertEqual(only(events, "ended")["account"], "alice")

    def test_each_recipient(self) -> None:
        outcomes = [
            Outcome(250, "2.0.0", "Delivered", "alice/INBOX"),
            Outcome(452, "4.2.2", "Mailbox full", "5 MB of 5 MB"),
            Outcome(550, "5.1.1", "No such mailbox here"),
        ]
        for factory_class, has_dsn, refused in (
            (self.factory_class, False, ["unreported", "unreported"]),
            (self.factory_class, True, ["deferred", "refused"]),  # it sends reports
            (LMTPServerFactory, False, ["deferred", "refused"]),
        ):
            self.factory_class = factory_class
            delivery = PromisingDelivery(ServiceExtensions(dsn=has_dsn))
            delivery.outcomes = outcomes
            with captured() as events:
                transport = self.connect(delivery=delivery)
                greeting = b"LHLO a\r\n" if factory_class is LMTPServerFactory else b"EHLO a\r\n"
                transport.send(greeting + b"MAIL FROM:<>\r\n" + b"RCPT TO:<a@b>\r\n" * 3 + b"DATA\r\n")
                transport.send(HEADER + b".\r\n")
            self.assertEqual(kinds(events), ["taken", "accepted", *refused])
            self.assertEqual(len({event["id"] for event in events}), 1)
            self.assertEqual(
                [event.get("detail") for event in events[1:]], ["alice/INBOX", "5 MB of 5 MB", None]
            )
            self.assertEqual(events[0]["sender"], "<>")

    def test_a_reply_of_several_lines_is_one_value(self) -> None:
        with captured() as events:
            transport = self.connect()
            session: Any = transport.protocol
            session.session_log.client_refused(b"554-5.7.1 Go away\r\n554 5.7.1 and stay there\r\n")
        event = only(events, "refused")
        self.assertEqual(event["reply"], "554 5.7.1 Go away and stay there")

    def test_a_thousand_recipients(self) -> None:
        events = self.send(*["alice"] * 1000)
        self.assertEqual(kinds(events), ["taken"] + ["accepted"] * 1000)
        self.assertIn("Taken as", self.heard)

    def test_a_client_that_is_gone(self) -> None:
        """What becomes of its message is logged all the same."""
        for failure, kind in ((None, "taken"), (FULL, "deferred")):
            delivery = FakeDelivery()
            delivery.failure = failure
            with captured() as events:
                transport = self.connect(delivery=delivery)
                transport.send(b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n")
                delivery.waiting = Deferred()
                transport.send(HEADER + b".\r\n")
                transport.drop()
                delivery.waiting.callback(None)
            self.assertEqual(only(events, kind)["recipient"], "<a@b>")


class FailureTests(LogTestCase):
    """The client is told that it may come again, and the log why."""

    def check(self, events: Sequence[LogEvent], **fields: str) -> None:
        event = only(events, "deferred")
        self.assertEqual(event["log_level"], LogLevel.error)
        self.assertIn(CAUSE, event["detail"])
        self.assertEqual({name: event[name] for name in fields}, fields)
        self.assertNotIn("database", self.heard)

    def failing(self, *, outcome: bool = False) -> FakeDelivery:
        delivery = FakeDelivery()
        if outcome:
            delivery.outcomes = [Outcome(FULL.code, FULL.enhanced, FULL.text, CAUSE)]
        else:
            delivery.failure = FULL
        return delivery

    def test_while_delivering(self) -> None:
        for outcome in (False, True):
            events = self.send(delivery=self.failing(outcome=outcome))
            self.check(events, recipient="<alice@mx.example>", reply="452 4.3.1 Insufficient system storage")

    def test_lmtp(self) -> None:
        self.factory_class = LMTPServerFactory
        for outcome in (False, True):
            with captured() as events:
                transport = self.connect(delivery=self.failing(outcome=outcome))
                transport.send(b"LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n")
                transport.send(HEADER + b".\r\n")
                self.heard = transport.read().decode()
            self.check(events, protocol="lmtp")

    def test_before_the_content(self) -> None:
        for command, path in (("MAIL", "bob@client.example"), ("RCPT", "alice@mx.example")):
            delivery = FakeDelivery()
            delivery.refusals[path] = FULL
            lines = ["MAIL FROM:<bob@client.example>", "RCPT TO:<alice@mx.example>"]
            events = self.say(*lines[: 1 + (command == "RCPT")], delivery=delivery)
            self.check(events, command=command, sender="<bob@client.example>")

    def test_the_spools_disk(self) -> None:
        fill_the_disk(self)
        events = self.send(
            content=HEADER + b"x" * 998 + b"\r\n", limits=SMTPLimits(memory=100, header=100, greeting_wait=0)
        )
        event = only(events, "deferred")
        self.assertEqual(event["log_level"], LogLevel.error)
        self.assertIn("No space left on device", event["detail"])

    def test_a_delivery_that_is_at_fault(self) -> None:
        """The traceback is in the log, too."""
        delivery = FakeDelivery()
        delivery.failure = ZeroDivisionError()
        events = self.send(delivery=delivery)
        event = only(events, "deferred")
        self.assertEqual(event["detail"], "ZeroDivisionError: see the traceback in the log")
        self.assertEqual(event["log_level"], LogLevel.error)
        self.assertIn("451 4.3.0", self.heard)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        delivery = FakeDelivery()
        delivery.refusals["alice@mx.example"] = ZeroDivisionError()
        events = self.send(delivery=delivery)
        self.assertEqual(only(events, "deferred")["command"], "RCPT")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_unavailable_without_a_cause(self) -> None:
        delivery = FakeDelivery()
        delivery.failure = Unavailable()
        self.assertEqual(only(self.send(delivery=delivery), "deferred")["log_level"], LogLevel.error)


class RefusalTests(LogTestCase):
    """Each refusal of mail is one line; what is no mail is counted."""

    def test_each(self) -> None:
        refusing = FakeDelivery()
        refusing.refusals["no@client.example"] = Refused(550, "5.7.1", "No", detail="on a list")
        refusing.refusals["nobody@mx.example"] = RecipientUnknown()
        bob = "MAIL FROM:<bob@client.example>"
        alice = "RCPT TO:<alice@mx.example>"
        local = {"greeting_wait": 0}
        tls = {"tls": CertificateOptions(), "require_tls": True}
        submission = {"submission": True, "portal": self.portal}
        rows: list[tuple[str, tuple[str | bytes, ...], dict[str, Any], dict[str, str]]] = [
            # kind, lines, settings, fields
            (
                "refused",
                ("MAIL FROM:<no@client.example>",),
                {"delivery": refusing},
                {
                    "command": "MAIL",
                    "sender": "<no@client.example>",
                    "reply": "550 5.7.1 No",
                    "detail": "on a list",
                },
            ),
            (
                "refused",
                (bob, "RCPT TO:<nobody@mx.example>"),
                {"delivery": refusing},
                {
                    "command": "RCPT",
                    "sender": "<bob@client.example>",
                    "recipient": "<nobody@mx.example>",
                    "reply": "550 5.1.1 No such mailbox here",
                },
            ),
            (
                "refused",
                (bob + " SIZE=99999999",),
                {},
                {"command": "MAIL", "reply": "552 5.3.4 Message exceeds fixed maximum message size"},
            ),
            (
                "refused",
                (bob + " X=1",),
                {},
                {"command": "MAIL", "reply": "555 5.5.4 Parameter not recognised or not implemented"},
            ),
            ("refused", ("MAIL FROM:<a b>",), {}, {"command": "MAIL"}),
            ("refused", (bob, "RCPT TO:<a b>"), {}, {"command": "RCPT", "sender": "<bob@client.example>"}),
            ("refused", ("MAIL FROM:<b\u00f6b@client.example>",), {}, {"command": "MAIL"}),
            (
                "refused",
                (bob,),
                submission,
                {
                    "command": "MAIL",
                    "sender": "<bob@client.example>",
                    "reply": "530 5.7.0 Authentication required",
                },
            ),
            (
                "refused",
                (bob,),
                tls,
                {"command": "MAIL", "reply": "530 5.7.0 Must issue a STARTTLS command first"},
            ),
            (
                "refused",
                (f"AUTH PLAIN {GOOD}", bob),
                submission,
                {
                    "command": "MAIL",
                    "reply": "550 5.7.1 That sender's address is not yours",
                    "detail": "alice as <bob@client.example>",
                },
            ),
            (
                "deferred",
                (bob, "RSET", bob),
                {"limits": SMTPLimits(messages_per_peer=1, **local)},  # type: ignore[arg-type]
                {
                    "command": "MAIL",
                    "reply": "450 4.7.1 Too many messages for now",
                    "detail": "from 127.0.0.1",
                },
            ),
            (
                "deferred",
                (bob, alice, alice),
                {"limits": SMTPLimits(recipients_per_peer=1, **local)},  # type: ignore[arg-type]
                {
                    "command": "RCPT",
                    "recipient": "<alice@mx.example>",
                    "reply": "450 4.7.1 Too many recipients for now",
                },
            ),
            (
                "deferred",
                (bob, alice, alice),
                {"limits": SMTPLimits(recipients=1, **local)},  # type: ignore[arg-type]
                {
                    "command": "RCPT",
                    "recipient": "<alice@mx.example>",
                    "reply": "452 4.5.3 Too many recipients",
                },
            ),
            (
                "deferred",
                (bob, "RSET", bob),
                {"limits": SMTPLimits(transactions=1, **local)},  # type: ignore[arg-type]
                {"command": "MAIL", "reply": "421 4.7.0 Too many messages on one connection, come again"},
            ),
            (
                "refused",
                (bob, alice, "DATA", b"bare\nnewline\r\n.\r\n"),
                {},
                {"recipient": "<alice@mx.example>", "reply": "550 5.6.11 Bare CR or LF in the message"},
            ),
            (
                "refused",
                (bob, alice, "DATA", b"N\0L\r\n.\r\n"),
                {},
                {"reply": "550 5.6.0 NUL in the message"},
            ),
            (
                "refused",
                (bob, alice, "DATA", b"x" * 50 + b"\r\n.\r\n"),
                {"max_message_size": 10},
                {"size": 52, "reply": "552 5.3.4 Message exceeds fixed maximum message size"},  # type: ignore[dict-item]
            ),
            (
                "refused",
                (bob, alice, b"BDAT 50\r\n" + b"x" * 50),
                {"max_message_size": 10},
                {"command": "BDAT", "reply": "552 5.3.4 Message exceeds fixed maximum message size"},
            ),
            (
                "refused",
                (bob, alice, "DATA", b"Received: x\r\n" * 2 + b"\r\n.\r\n"),
                {"limits": SMTPLimits(hops=2, **local)},  # type: ignore[arg-type]
                {"reply": "554 5.4.6 Too many Received fields: the message goes in circles"},
            ),
            ("refused", ("XCLIENT ADDR=192.0.2.9",), {}, {"command": "XCLIENT"}),
            (
                "refused",
                ("VRFY alice",),
                submission,
                {"command": "VRFY", "reply": "530 5.7.0 Authentication required"},
            ),
            (
                "deferred",
                ("?",) * 21,
                {},
                {
                    "reply": "421 4.7.0 Too many errors, closing connection",
                    "detail": "500 5.5.2 Command not recognised",
                },
            ),
        ]
        for kind, lines, settings, fields in rows:
            with self.subTest(lines=lines):
                events = self.say(*lines, **settings)
                event = only([event for event in events if event["kind"] not in ("signed-in", "ended")], kind)
                self.assertEqual({name: event.get(name) for name in fields}, fields)
                self.assertEqual((event["peer"], event["helo"]), ("127.0.0.1", "client.example"))
                self.assertEqual(event["log_level"], LogLevel.info)

    def test_guessing_addresses(self) -> None:
        delivery = FakeDelivery()
        delivery.refusals["alice@mx.example"] = RecipientUnknown()
        limits = SMTPLimits(refused_recipients=2, greeting_wait=0)
        events = self.send("alice", "alice", "alice", delivery=delivery, limits=limits)
        self.assertEqual(kinds(events), ["refused"] * 3 + ["deferred"])
        self.assertEqual(only(events, "ended")["reason"], "too many errors")

    def test_what_was_pipelined_after_a_refusal_is_no_line(self) -> None:
        delivery = FakeDelivery()
        delivery.refusals["bob@client.example"] = RecipientUnknown()
        events = self.send("alice", "carol", delivery=delivery)
        self.assertEqual(kinds(events)[0], "refused")
        self.assertEqual(len({event.get("command") for event in events if event["kind"] == "refused"}), 1)

    def test_early_talker(self) -> None:
        self.peer = ELSEWHERE
        limits = SMTPLimits(greeting_wait=2)
        with captured() as events:
            factory = self.factory_class(FakeDelivery(), clock=self.clock, hostname="mx", limits=limits)
            transport = MemoryTransport(factory.buildProtocol(None), ELSEWHERE)
            transport.send(b"EHLO a\r\n")
            self.clock.advance(2)
            transport.read()
        event = only(events, "refused")
        self.assertEqual(
            (event["peer"], event["reply"]), (ELSEWHERE, "554 5.5.1 You talk before you are greeted")
        )
        self.assertEqual(only(events, "ended")["reason"], "talked before the greeting")

    def test_too_many_connections(self) -> None:
        limits = SMTPLimits(connections=1, greeting_wait=0)
        self.connect(limits=limits)
        with captured() as events:
            MemoryTransport(self.factory.buildProtocol(None), ELSEWHERE)
        event = only(events, "turned-away")
        self.assertEqual((event["peer"], event["reason"]), (ELSEWHERE, "too many connections"))
        self.assertEqual(event["log_level"], LogLevel.warn)


class SignInTests(LogTestCase):
    def test_each(self) -> None:
        for lines, kind, fields in (
            ((f"AUTH PLAIN {GOOD}",), "signed-in", {"account": "alice", "mechanism": "PLAIN"}),
            ((f"AUTH PLAIN {BAD}",), "sign-in-failed", {"name": "alice", "mechanism": "PLAIN"}),
            (("AUTH PLAIN", BAD), "sign-in-failed", {"name": "alice", "mechanism": "PLAIN"}),
            (
                ("AUTH LOGIN", "YWxpY2U=", "d3Jvbmc="),
                "sign-in-failed",
                {"name": "alice", "mechanism": "LOGIN"},
            ),
            (
                ("AUTH NTLM",),
                "sign-in-failed",
                {"mechanism": "NTLM", "detail": "Unrecognised authentication mechanism"},
            ),
        ):
            with self.subTest(lines=lines):
                events = self.say(*lines, portal=self.portal)
                event = only(events, kind)
                self.assertEqual(kinds(events), [kind])
                self.assertEqual({name: event.get(name) for name in fields}, fields)
                self.assertEqual(event["helo"], "client.example")
        self.assertNotIn("wrong", repr(event))

    def test_in_clear(self) -> None:
        self.peer = ELSEWHERE
        event = only(self.say(f"AUTH PLAIN {GOOD}", portal=self.portal), "sign-in-failed")
        self.assertEqual(event["detail"], "Encryption required for this authentication mechanism")

    def test_a_name_is_shown_as_a_value(self) -> None:
        name = "AGFsaWNlIGlkPTQ3MTEAeA=="  # NUL, alice id=4711, NUL, x
        _, values = parsed(only(self.say(f"AUTH PLAIN {name}", portal=self.portal), "sign-in-failed"))
        self.assertEqual(values["name"], '"alice id=4711"')

    def test_a_checker_that_fails(self) -> None:
        class Failing:
            credentialInterfaces = tuple(self.portal.checkers)

            def requestAvatarId(self, credentials: object) -> Any:
                raise Unavailable(detail=CAUSE)

        self.portal.checkers = {interface: Failing() for interface in self.portal.checkers}
        event = only(self.say(f"AUTH PLAIN {GOOD}", portal=self.portal), "sign-in-failed")
        self.assertEqual((event["detail"], event["log_level"]), (CAUSE, LogLevel.error))


class EndTests(LogTestCase):
    def test_each(self) -> None:
        mail = ("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA")
        for lines, then, level, fields in (
            ((), "QUIT", LogLevel.debug, {"reason": "quit"}),
            ((), "", LogLevel.debug, {"reason": "closed by the client"}),
            ((*mail, b".\r\n"), "QUIT", LogLevel.info, {"reason": "quit", "taken": 1}),
            (("?", "?"), "QUIT", LogLevel.info, {"reason": "quit", "errors": 2}),
            ((*mail, b"half a message\r\n"), "", LogLevel.info, {"unfinished": 14}),
            (("MAIL FROM:<a b>",), "QUIT", LogLevel.info, {"refused": 1, "errors": 1}),
        ):
            with self.subTest(lines=lines):
                event = only(self.say(*lines, then=then), "ended")
                self.assertEqual({name: event.get(name) for name in fields}, fields)
                self.assertEqual(event["log_level"], level)

    def test_time_and_idleness(self) -> None:
        with captured() as events:
            transport = self.connect()
            transport.send(b"EHLO a\r\n")
            self.clock.advance(300)
            transport.read()
        event = only(events, "ended")
        self.assertEqual((event["reason"], event["seconds"]), ("idle too long", 300.0))


class MessageIdTests(SynchronousTestCase):
    def test_each_way_to_write_it(self) -> None:
        for field, shown in (
            (b"Message-ID: <1@x>\r\n", "<1@x>"),
            (b"message-id:<1@x>\r\n", "<1@x>"),
            (b"MESSAGE-ID : \t<1@x> \r\n", "<1@x>"),
            (b"Message-ID:\r\n <1@x>\r\n", "<1@x>"),
            (b"Message-ID: \r\n\t<1@x>\r\n", "<1@x>"),
            (b"Message-ID: <1\xff@x>\r\n", "<1\ufffd@x>"),
            (b"Message-ID:\r\n", ""),
            (b"Message-ID: \r\nSubject: x\r\n", ""),
            (b"Message-Id-Is-Another: <1@x>\r\n", ""),
            (b"", ""),
        ):
            for before, after in ((b"", b""), (b"Subject: x\r\n", b"To: <a@b>\r\n")):
                with self.subTest(field=field, before=before):
                    header = before + field + after
                    self.assertEqual(shown_message_id(header, lowered(header)), shown)

    def test_a_long_one_is_cut(self) -> None:
        header = b"Message-ID: <" + b"x" * 100_000 + b">\r\n"
        self.assertLess(len(shown_message_id(header, lowered(header))), 1200)
