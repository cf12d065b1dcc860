"""The mail log: one line for each event, whatever a stranger put into it."""

from __future__ import annotations

import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from mailproto.errors import AuthenticationFailed, MailError, OverQuota, StorageFull, Unavailable
from mailproto.maillog import MAX_REFUSALS, MAX_VALUE, MailLog
from mailproto.maillog._mail_log import LINES_A_MINUTE
from mailproto.maillog._sparing import Sparing
from mailproto.model import Address, Envelope, Outcome, QueueState, Recipient, Session
from mailproto.observing import (
    Accepted,
    Appended,
    Client,
    Delivered,
    Disconnected,
    Refusal,
    Relayed,
    SignedIn,
    SignInRefused,
    Stalled,
    TurnedAway,
    Unreached,
    client_of,
)
from tests.mail_log import captured, kinds, only, parsed

BOB = Address("bob", "example.com")
CLIENT = Client(peer="192.0.2.1", protocol="smtp", helo="client.example")
TAKEN = Outcome(250, "2.0.0", "Delivered", "alice/INBOX")
UNKNOWN = Outcome(550, "5.1.1", "No such mailbox here")
FULL = Outcome(452, "4.3.1", "Insufficient system storage", "OSError: No space left on device")


class maillog:  # noqa: N801 - it stands for what a server does
    """Tells the mail log of events, as servers do."""

    log = MailLog()

    @classmethod
    def message(
        cls,
        client: Client,
        about: Envelope,
        outcomes: Any,
        *,
        answer: Any = None,
        clock: Any = None,
        **more: Any,
    ) -> None:
        log = MailLog(clock) if clock else cls.log
        event = Accepted(client, about, outcomes, **more)
        if answer is None:
            log.accepted(event)
        else:
            log.refused(Refusal.of_message(event, answer))

    @classmethod
    def recipients(cls, about: Envelope, outcomes: Any, is_told: bool = True) -> None:
        for recipient, outcome in zip(about.recipients, outcomes, strict=True):
            cls.log.delivered(Delivered(CLIENT, about, recipient, outcome, is_told or outcome.accepted))

    @classmethod
    def refused(cls, client: Client, reply: Outcome | str, *, command: str = "", **more: Any) -> None:
        if isinstance(reply, str):
            cls.log.refused(Refusal(client, reply, command=command, **more))
        else:
            cls.log.refused(Refusal.of_outcome(client, reply, command, **more))

    @classmethod
    def failed(cls, client: Client, command: str, error: MailError) -> None:
        cls.log.refused(Refusal.of_error(client, command, error))

    @classmethod
    def signed_in(cls, *about: Any) -> None:
        cls.log.signed_in(SignedIn(*about))

    @classmethod
    def sign_in_failed(cls, *about: Any) -> None:
        cls.log.sign_in_refused(SignInRefused(*about))

    @classmethod
    def appended(cls, *about: Any) -> None:
        cls.log.appended(Appended(*about))

    @classmethod
    def turned_away(cls, *about: Any) -> None:
        cls.log.turned_away(TurnedAway(*about))

    @classmethod
    def ended(cls, client: Client, reason: str, seconds: float, counts: Any) -> None:
        cls.log.disconnected(Disconnected(client, reason, seconds, counts=counts))


def envelope(*recipients: str) -> Envelope:
    addresses = tuple(Recipient(Address(name, "example.org")) for name in recipients)
    return Envelope("4711", BOB, addresses, Session("ESMTP", "mx.example"))


def lines(events: Any) -> list[str]:
    return [formatEvent(event) for event in events]


def log(outcomes: list[Outcome], *recipients: str, answer: Outcome | None = None) -> list[str]:
    with captured() as events:
        about = envelope(*recipients)
        maillog.message(CLIENT, about, outcomes, size=42, message_id="<1@x>", answer=answer)
        maillog.recipients(about, outcomes)
    return lines(events)


FROM = "peer=192.0.2.1 protocol=smtp helo=client.example sender=<bob@example.com>"


class StallTests(SynchronousTestCase):
    """One line a minute for each protocol and command."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.log = MailLog(self.clock)

    def stall(self, *commands: str, protocol: str = "imap") -> list[str]:
        client = Client("192.0.2.1", protocol, account="ada")
        with captured() as events:
            for command in commands:
                self.log.stalled(Stalled(client, command, 0.0714, 0.0652))
        self.assertTrue(all(event["log_level"] is LogLevel.warn for event in events))
        return lines(events)

    def test_it_says_who_and_what_and_for_how_long(self) -> None:
        line = "stalled peer=192.0.2.1 protocol=imap account=ada command=SEARCH ms=71 cpu_ms=65"
        self.assertEqual(self.stall("SEARCH"), [line])

    def test_no_command(self) -> None:
        self.assertEqual(self.stall(""), ["stalled peer=192.0.2.1 protocol=imap account=ada ms=71 cpu_ms=65"])

    def test_once_a_minute_for_each_kind(self) -> None:
        self.assertEqual(len(self.stall("SEARCH", "FETCH", "SEARCH", "FETCH", "SEARCH")), 2)
        self.clock.advance(59)
        self.assertEqual(self.stall("SEARCH"), [])
        self.assertEqual(len(self.stall("SEARCH", protocol="pop3")), 1)
        self.clock.advance(1)
        left_out = [
            "unlogged protocol=imap command=SEARCH lines=3",
            "unlogged protocol=imap command=FETCH lines=1",
        ]
        self.assertEqual(
            [line.partition(" peer")[0] for line in self.stall("SEARCH")], [*left_out, "stalled"]
        )
        self.clock.advance(60)
        self.assertEqual([line.partition(" peer")[0] for line in self.stall("SEARCH")], ["stalled"])

    def test_kinds_are_limited(self) -> None:
        """Clients choose the names of unknown commands."""
        self.stall(*[f"X{number}" for number in range(1000)])
        self.assertEqual(len(self.log._stalls), 200)


class StrangerTests(SynchronousTestCase):
    """A client that is refused again and again, over many connections."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.log = MailLog(self.clock)

    def client(self, address: str = "192.0.2.1", **more: Any) -> Client:
        """Of a new connection."""
        return Client(address or "unix", "smtp", address=address, **more)

    def refuse(self, number: int, address: str = "192.0.2.1") -> list[str]:
        with captured() as events:
            for _ in range(number):
                self.log.refused(Refusal(self.client(address), "450 4.7.1 Later", command="RCPT"))
        return lines(events)

    def test_so_many_lines_a_minute(self) -> None:
        self.assertEqual(len(self.refuse(1000)), LINES_A_MINUTE)
        self.assertEqual(len(self.refuse(1, "192.0.2.2")), 1)
        self.clock.advance(59)
        self.assertEqual(self.refuse(1), [])
        self.clock.advance(1)
        self.assertEqual(self.refuse(1, "192.0.2.2")[0], "unlogged network=192.0.2.1 lines=401")
        self.assertEqual(len(self.refuse(LINES_A_MINUTE + 1)), LINES_A_MINUTE)

    def test_whatever_they_are_about(self) -> None:
        self.refuse(LINES_A_MINUTE)
        client = self.client()
        with captured() as events:
            self.log.turned_away(TurnedAway(client, "too many connections"))
            self.log.sign_in_refused(SignInRefused(client, "PLAIN", "x", AuthenticationFailed()))
            self.log.refused(Refusal.of_message(Accepted(client, envelope("alice"), [FULL], 1), FULL))
            about = envelope("alice", "bob")
            self.log.delivered(Delivered(client, about, about.recipients[0], FULL))
            self.log.disconnected(Disconnected(client, "quit", 1, 0, 0, {"errors": 3}))
        self.assertEqual(events, [])

    def test_but_what_was_done_is_logged(self) -> None:
        self.refuse(LINES_A_MINUTE)
        client = self.client(account="ada")
        with captured() as events:
            self.log.refused(Refusal(client, "450 4.7.1 Later", command="RCPT"))
            self.log.accepted(Accepted(client, envelope("alice"), [TAKEN], 1))
            about = envelope("alice", "bob")
            self.log.delivered(Delivered(client, about, about.recipients[0], TAKEN))
            self.log.delivered(Delivered(client, about, about.recipients[1], FULL, False))
            self.log.disconnected(Disconnected(client, "quit", 1, 0, 0, {"taken": 1}))
        self.assertEqual([event["kind"] for event in events], ["taken", "accepted", "unreported", "ended"])

    def test_unix_sockets_are_no_strangers(self) -> None:
        self.assertEqual(len(self.refuse(1000, "")), 1000)

    def test_an_ipv6_network_is_one_client(self) -> None:
        self.assertEqual(len(self.refuse(LINES_A_MINUTE, "2001:db8::1")), LINES_A_MINUTE)
        self.assertEqual(self.refuse(1, "2001:db8::2"), [])

    def test_networks_are_limited(self) -> None:
        self.log._refusals = Sparing(1, 3)
        self.refuse(2)
        for number in range(2, 5):
            found = self.refuse(1, f"192.0.2.{number}")
        self.assertEqual(found[0], "unlogged network=192.0.2.1 lines=1")
        self.assertEqual(len(self.log._refusals), 3)


class MessageTests(SynchronousTestCase):
    def test_one_recipient_is_one_line(self) -> None:
        self.assertEqual(
            log([TAKEN], "alice"),
            [
                f"taken id=4711 {FROM} recipients=1 recipient=<alice@example.org> size=42"
                " message_id=<1@x> detail=alice/INBOX"
            ],
        )

    def test_one_recipient_that_is_refused(self) -> None:
        self.assertEqual(
            log([FULL], "alice", answer=FULL),
            [
                f"deferred id=4711 {FROM} recipients=1 recipient=<alice@example.org> size=42"
                ' message_id=<1@x> reply="452 4.3.1 Insufficient system storage"'
                ' detail="OSError: No space left on device"'
            ],
        )

    def test_each_of_several_has_a_line(self) -> None:
        first, *rest = log([TAKEN, UNKNOWN, FULL], "alice", "carol", "dave")
        listed = "<alice@example.org>,<carol@example.org>,<dave@example.org>"
        self.assertEqual(
            first, f"taken id=4711 {FROM} recipients=3 recipient={listed} size=42 message_id=<1@x>"
        )
        self.assertEqual(
            rest,
            [
                "accepted id=4711 recipient=<alice@example.org> detail=alice/INBOX",
                'refused id=4711 recipient=<carol@example.org> reply="550 5.1.1 No such mailbox here"',
                'deferred id=4711 recipient=<dave@example.org> reply="452 4.3.1 Insufficient system storage"'
                ' detail="OSError: No space left on device"',
            ],
        )

    def test_recipients_of_whom_the_sender_learns_nothing(self) -> None:
        """SMTP has one reply for all, and it was 250: nobody else will tell of the others."""
        about = envelope("alice", "carol", "dave")
        with captured() as events:
            maillog.recipients(about, [TAKEN, UNKNOWN, FULL], is_told=False)
        told = 'told="250, because of other recipients: the sender does not learn the reply"'
        self.assertEqual(
            lines(events),
            [
                "accepted id=4711 recipient=<alice@example.org> detail=alice/INBOX",
                "unreported id=4711 sender=<bob@example.com> recipient=<carol@example.org>"
                f' reply="550 5.1.1 No such mailbox here" {told}',
                "unreported id=4711 sender=<bob@example.com> recipient=<dave@example.org>"
                f' reply="452 4.3.1 Insufficient system storage" {told}'
                ' detail="OSError: No space left on device"',
            ],
        )
        self.assertEqual(
            [event["log_level"] for event in events], [LogLevel.info, LogLevel.warn, LogLevel.error]
        )

    def test_many_recipients(self) -> None:
        names = [f"r{number}" for number in range(1000)]
        first, *rest = log([TAKEN] * 1000, *names)
        self.assertIn("recipients=1000 recipient=<r0@example.org>,", first)
        self.assertIn("<r9@example.org>,... ", first)
        self.assertEqual(len(rest), 1000)
        self.assertIn("recipient=<r999@example.org>", rest[-1])

    def test_levels(self) -> None:
        """A failure of ours is an error; what the message or its recipient is refused for is none."""
        for outcome, level in (
            (TAKEN, LogLevel.info),
            (UNKNOWN, LogLevel.info),
            (FULL, LogLevel.error),
            (Outcome(451, "4.3.0", "Temporary failure"), LogLevel.error),
            (Outcome(450, "4.7.1", "Too many messages for now"), LogLevel.info),
            (Outcome(451, "4.4.1", "Temporary failure", "Cannot connect"), LogLevel.warn),
            (Outcome(554, "5.4.6", "In circles"), LogLevel.info),
            (Outcome(552, "5.3.4", "Message too large"), LogLevel.info),
        ):
            answer = None if outcome.accepted else outcome
            for recipients in (["alice"], ["alice", "bob"]):
                with self.subTest(outcome=outcome, recipients=recipients), captured() as events:
                    about, outcomes = envelope(*recipients), [outcome] * len(recipients)
                    maillog.message(CLIENT, about, outcomes, size=1, answer=answer)
                    maillog.recipients(about, outcomes)
                self.assertEqual({event["log_level"] for event in events}, {level})

    def test_messages_of_one_iteration_are_emitted_together(self) -> None:
        """With a reactor that runs; in their order, and with the time at which they came."""
        clock = Clock()
        clock.running = True  # type: ignore[attr-defined]
        about = envelope("alice")
        with captured() as events:
            for size in (1, 2):
                maillog.message(CLIENT, about, [TAKEN], size=size, clock=clock)
            before = time.time()
            self.assertEqual(len(clock.getDelayedCalls()), 1)
            clock.advance(0)
            maillog.message(CLIENT, about, [TAKEN], size=3, clock=clock)
            maillog.refused(CLIENT, "550 no")  # comes after what came before it
            clock.advance(0)
        self.assertEqual([event.get("size") for event in events], [1, 2, 3, None])
        self.assertLess(events[0]["log_time"], before)

    def test_few_wait(self) -> None:
        """Whatever becomes of the call by which they are emitted."""
        clock = Clock()
        clock.running = True  # type: ignore[attr-defined]
        with captured() as events:
            for _ in range(250):
                maillog.message(CLIENT, envelope("alice"), [TAKEN], size=1, clock=clock)
                for call in clock.getDelayedCalls():
                    call.cancel()
        self.assertEqual(len(events), 200)
        with captured() as events:
            maillog.turned_away(CLIENT, "too many connections")
        self.assertEqual(len(events), 51)

    def test_fields_are_those_of_the_text(self) -> None:
        with captured() as events:
            maillog.message(CLIENT, envelope("alice"), [TAKEN], size=42)
        event = only(events, "taken")
        self.assertEqual((event["id"], event["size"], event["peer"]), ("4711", 42, "192.0.2.1"))
        self.assertEqual((event["sender"], event["recipient"]), ("<bob@example.com>", "<alice@example.org>"))


class QueueTests(SynchronousTestCase):
    """Messages that go to other servers."""

    def relayed(self, state: QueueState, outcome: Outcome, due: float = 0.0) -> Any:
        with captured() as events:
            sender, recipient = Address.parse("bob@example.com"), Address.parse("alice@example.org")
            where = ("example.org", "mx.example.org", "192.0.2.1", "TLSv1.3")
            MailLog().relayed(Relayed("ID", sender, recipient, state, outcome, *where, 2, 61.5, due))
        [event] = events
        return event

    def test_what_became_of_a_message(self) -> None:
        shown = (
            "id=ID sender=<bob@example.com> recipient=<alice@example.org> host=mx.example.org"
            " address=192.0.2.1 tls=TLSv1.3 reply="
        )
        for state, outcome, due, text, level in (
            (QueueState.SENT, Outcome(250, "2.0.0", "OK"), 0.0, 'sent {}"250 2.0.0 OK"{}', LogLevel.info),
            (
                QueueState.WAITING,
                Outcome(450, "4.2.0", "Later"),
                60.0,
                'delayed {}"450 4.2.0 Later"{} next=1970-01-01T00:01:00Z',
                LogLevel.info,
            ),
            (
                QueueState.WAITING,
                Outcome(451, "4.3.2", "Their disk is full"),
                60.0,
                'delayed {}"451 4.3.2 Their disk is full"{} next=1970-01-01T00:01:00Z',
                LogLevel.info,
            ),
            (
                QueueState.WAITING,
                Outcome(451, "4.4.2", "Lost"),
                60.0,
                'delayed {}"451 4.4.2 Lost"{} next=1970-01-01T00:01:00Z',
                LogLevel.warn,
            ),
            (
                QueueState.FAILED,
                Outcome(550, "5.1.1", "No", "why"),
                0.0,
                'given-up {}"550 5.1.1 No"{} detail=why',
                LogLevel.info,
            ),
        ):
            with self.subTest(text=text):
                event = self.relayed(state, outcome, due)
                self.assertEqual(formatEvent(event), text.format(shown, " delay=61.5 attempt=2"))
                self.assertIs(event["log_level"], level)

    def test_a_destination_that_cannot_be_reached(self) -> None:
        with captured() as events:
            MailLog().unreached(
                Unreached("example.org", Outcome(451, "4.4.1", "No answer"), "mx.example.org", 3, 120.0)
            )
        [event] = events
        self.assertEqual(
            formatEvent(event),
            'unreached destination=example.org host=mx.example.org reply="451 4.4.1 No answer" failures=3'
            " next=1970-01-01T00:02:00Z",
        )
        self.assertIs(event["log_level"], LogLevel.warn)


class RefusalTests(SynchronousTestCase):
    def test_whom_and_why(self) -> None:
        with captured() as events:
            maillog.refused(
                CLIENT,
                "550 5.1.1 No such mailbox here",
                command="RCPT",
                sender=BOB,
                recipient=Address("x y", "example.org"),
            )
            maillog.refused(CLIENT, FULL, command="MAIL", sender=Address("", ""))
        self.assertEqual(
            lines(events),
            [
                "refused peer=192.0.2.1 protocol=smtp helo=client.example command=RCPT"
                ' sender=<bob@example.com> recipient="<\\"x y\\"@example.org>"'
                ' reply="550 5.1.1 No such mailbox here"',
                "deferred peer=192.0.2.1 protocol=smtp helo=client.example command=MAIL sender=<>"
                ' reply="452 4.3.1 Insufficient system storage" detail="OSError: No space left on device"',
            ],
        )

    def test_a_client_cannot_fill_the_disk(self) -> None:
        notes: dict[object, Any] = {}
        with captured() as events:
            for _ in range(3 * MAX_REFUSALS):
                client = Client(peer="192.0.2.1", protocol="smtp", notes=notes)
                maillog.refused(client, "550 no")
            maillog.ended(client, "quit", 1, {})
        self.assertEqual(len(events), MAX_REFUSALS + 1)
        ended = only(events, "ended")
        self.assertEqual((ended["refused"], ended["unlogged"]), (3 * MAX_REFUSALS, 2 * MAX_REFUSALS))

    def test_nor_with_what_fails_or_with_sign_ins(self) -> None:
        client = Client(peer="192.0.2.1", protocol="imap")
        with captured() as events:
            for _ in range(MAX_REFUSALS):
                maillog.failed(client, "APPEND", StorageFull(detail="full"))
                maillog.sign_in_failed(client, "PLAIN", "x", AuthenticationFailed())
        self.assertEqual(len(events), MAX_REFUSALS)

    def test_a_client_that_sends_mail_begins_anew(self) -> None:
        client = Client(peer="192.0.2.1", protocol="smtp")
        with captured() as events:
            for _ in range(2):
                for _ in range(MAX_REFUSALS):
                    maillog.refused(client, "550 no")
                maillog.message(client, envelope("alice"), [TAKEN], size=1)
        self.assertEqual(kinds(events).count("refused"), 2 * MAX_REFUSALS)

    def test_levels(self) -> None:
        for error, level in (
            (StorageFull(detail="full"), LogLevel.error),
            (Unavailable(detail="locked"), LogLevel.error),
            (OverQuota(detail="limit 5"), LogLevel.info),
            (MailError(detail="x"), LogLevel.info),
        ):
            with captured() as events:
                maillog.failed(Client(peer="x", protocol="imap"), "APPEND", error)
            self.assertEqual(only(events, "failed")["log_level"], level)


class SessionTests(SynchronousTestCase):
    def test_nothing_happened(self) -> None:
        """What only looks whether somebody is there is of no interest."""
        for counts, account, level in (
            ({}, None, LogLevel.debug),
            ({"taken": 0}, None, LogLevel.debug),
            ({"taken": 1}, None, LogLevel.info),
            ({}, "alice", LogLevel.info),
        ):
            with captured() as events:
                maillog.ended(Client(peer="x", protocol="smtp", account=account), "quit", 0.26, counts)
            self.assertEqual(only(events, "ended")["log_level"], level)
        self.assertEqual(lines(events), ["ended peer=x protocol=smtp account=alice reason=quit seconds=0.3"])

    def test_signing_in(self) -> None:
        client = Client(peer="192.0.2.1", protocol="imap", tls="TLSv1.3")
        with captured() as events:
            maillog.signed_in(client, "alice", "PLAIN")
            maillog.sign_in_failed(
                client, "PLAIN", "al\ufffdice\r\n", AuthenticationFailed(detail="no such account")
            )
            maillog.sign_in_failed(client, "PLAIN", "", Unavailable())
        self.assertEqual(
            lines(events),
            [
                "signed-in peer=192.0.2.1 protocol=imap tls=TLSv1.3 account=alice mechanism=PLAIN",
                "sign-in-failed peer=192.0.2.1 protocol=imap tls=TLSv1.3 mechanism=PLAIN"
                ' name="al\ufffdice\\r\\n" detail="no such account"',
                "sign-in-failed peer=192.0.2.1 protocol=imap tls=TLSv1.3 mechanism=PLAIN"
                ' detail="Temporary failure, try again later"',
            ],
        )
        self.assertEqual(
            [event["log_level"] for event in events], [LogLevel.info, LogLevel.info, LogLevel.error]
        )

    def test_a_session_without_a_name(self) -> None:
        with captured() as events:
            maillog.signed_in(client_of(object()), "alice", "")
        self.assertEqual(lines(events), ["signed-in account=alice"])


ANYTHING = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "",
            " ",
            "\\",
            '"',
            'a" id=1 x="',
            "x\\",
            "a\r\n2026-11-28T05:55:05+0000 [mail#info] taken id=1",
            "\x1b[2J",
            "\u202eabc",
            "\u2028",
            "x" * 2000,
            '"' * 2000,
            "\\" * 2001,
            "\u202e" * 2000,
            "=",
            "a=b",
        ]
    ),
)


class ForgeryTests(SynchronousTestCase):
    @given(ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING)
    @settings(max_examples=500, deadline=None)
    def test_each_value_stays_in_its_place(
        self, helo: str, account: str, local: str, domain: str, message_id: str, detail: str
    ) -> None:
        """`captured` takes each line apart, and finds the event's own fields or says so."""
        client = Client(peer=helo, protocol="smtp", helo=helo, account=account)
        address = Address(local, domain)
        about = Envelope("4711", address, (Recipient(address),) * 2, Session("ESMTP", "mx.example"))
        refusal = Outcome(550, "5.0.0", detail, detail)
        with captured() as events:
            for count, answer in ((1, None), (1, refusal), (2, None)):
                some = Envelope(about.id, address, about.recipients[:count], about.session)
                outcomes = [answer or Outcome(250, "2.0.0", detail, detail)] * count
                maillog.message(client, some, outcomes, size=1, message_id=message_id, answer=answer)
                maillog.recipients(some, outcomes)
            maillog.refused(client, refusal, command=helo, sender=address, recipient=address)
            maillog.failed(Client(peer=helo, protocol="imap"), helo, MailError(detail, detail=detail))
            maillog.signed_in(Client(peer=helo, protocol="smtp"), account, helo)
            maillog.sign_in_failed(client, helo, account, AuthenticationFailed(detail=detail))
            maillog.appended(client, local, 1, 2)
            maillog.turned_away(client, detail)
            maillog.ended(client, detail, 1, {"taken": 1})
        for event in events:
            _, values = parsed(event)
            self.assertTrue(all(len(value) <= MAX_VALUE + 2 for value in values.values()))
            self.assertTrue({"peer", "id"} & set(values) or not helo)

    def test_different_values_look_different(self) -> None:
        for one, other in (("\\x1b", "\x1b"), ('a"', 'a\\"'), ("a\\", "a\\\\"), ("\\u202e", "\u202e")):
            first, second = (parsed(self.refusal(text))[1]["helo"] for text in (one, other))
            self.assertNotEqual(first, second)

    def refusal(self, helo: str) -> Any:
        with captured() as events:
            maillog.refused(Client(peer="x", protocol="smtp", helo=helo), "550 no")
        return only(events, "refused")

    def test_a_megabyte_costs_no_more_than_a_line(self) -> None:
        huge = "\u202e" * 1_000_000
        began = time.process_time()
        self.refusal(huge)
        self.assertLess(time.process_time() - began, 0.05)
