"""A message's way through MAIL, RCPT and DATA, pipelined and not."""

from __future__ import annotations

import re

from mailproto.client.errors import ConnectionLost, ProtocolViolation, ServiceClosing
from mailproto.content import CHUNK
from mailproto.model import NO_PARAMETERS, NULL_PATH, Address, Outcome, Recipient
from mailproto.smtp.client import _plan
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._plan import MAX_RECIPIENTS
from mailproto.smtp.errors import UNCERTAIN
from tests.smtp.client.dialogue import (
    ALICE,
    BOB,
    PIPELINING,
    PLAIN,
    SENDER,
    TEXT,
    ClientTestCase,
    LMTPClientTestCase,
    offering,
)

GROUP = """
C: MAIL FROM:<me@client.example>
C: RCPT TO:<alice@mx.example>
C: RCPT TO:<bob@mx.example>
C: DATA
"""
CONTENT = """
C: Subject: hello
C:
C: Hi.
C: .
"""


class PipeliningTests(ClientTestCase):
    """MAIL, RCPTs and DATA are one write (RFC 2920)."""

    def send(self, offered: str = PIPELINING) -> None:
        self.connect(offered)
        self.sent = self.client.send(SENDER, [ALICE, BOB], TEXT)

    def test_everybody_accepted(self) -> None:
        self.send()
        self.assertEqual(self.transport.writes, 2)
        self.converse(
            GROUP
            + """
            S: 250 2.1.0 Sender OK
            S: 250 2.1.5 Recipient OK
            S: 250 2.1.5 Recipient OK
            S: 354 Go ahead
            """
            + CONTENT
            + "S: 250 2.0.0 Queued"
        )
        self.assertEqual(self.result(self.sent), [Outcome(250, "2.0.0", "Queued")] * 2)
        self.assertTrue(self.client._session.is_idle)

    def test_some_refused(self) -> None:
        self.send()
        self.converse(
            GROUP
            + """
            S: 250 OK
            S: 550-5.1.1 Nobody
            S: 550 5.1.1 of that name
            S: 250 OK
            S: 354 Go ahead
            """
            + CONTENT
            + "S: 250 Queued"
        )
        self.assertEqual(
            self.result(self.sent),
            [Outcome(550, "5.1.1", "Nobody of that name"), Outcome(250, "2.0.0", "Queued")],
        )

    def test_all_refused_and_data_too(self) -> None:
        """The next message's MAIL comes behind RSET, for the server is still in a transaction."""
        self.send()
        self.converse(GROUP + "S: 250 OK\nS: 550 No\nS: 451 Later\nS: 554 5.5.1 No valid recipients")
        self.assertEqual(self.codes(self.sent), [(550, "5.0.0"), (451, "4.0.0")])
        self.client.send(SENDER, [ALICE, BOB], TEXT)
        self.converse("C: RSET" + GROUP)

    def test_all_refused_but_data_taken(self) -> None:
        """The end of data is all that such a server gets (RFC 2920 3.1)."""
        self.send()
        self.converse(
            GROUP
            + """
            S: 250 OK
            S: 550 No
            S: 550 No
            S: 354 Go ahead
            C: .
            S: 554 5.5.1 No valid recipients
            """
        )
        self.assertEqual(self.codes(self.sent), [(550, "5.0.0")] * 2)
        self.client.send(SENDER, [ALICE, BOB], TEXT)
        self.converse(GROUP)

    def test_sender_refused(self) -> None:
        self.send()
        self.converse(
            GROUP + "S: 553 5.1.8 Unknown domain\nS: 503 MAIL first\nS: 503 MAIL first\nS: 503 MAIL first"
        )
        self.assertEqual(self.result(self.sent), [Outcome(553, "5.1.8", "Unknown domain")] * 2)
        self.client.send(SENDER, [ALICE, BOB], TEXT)
        self.converse(GROUP)

    def test_data_refused(self) -> None:
        self.send()
        self.converse(GROUP + "S: 250 OK\nS: 550 5.1.1 No\nS: 250 OK\nS: 451 4.3.0 Not now")
        self.assertEqual(self.codes(self.sent), [(550, "5.1.1"), (451, "4.3.0")])

    def test_content_refused(self) -> None:
        self.send()
        self.converse(
            GROUP + "S: 250 OK\nS: 250 OK\nS: 250 OK\nS: 354 Go" + CONTENT + "S: 550 5.7.1 Unwanted"
        )
        self.assertEqual(self.result(self.sent), [Outcome(550, "5.7.1", "Unwanted")] * 2)

    def test_the_next_message_comes_behind_the_content(self) -> None:
        """No round trip is spent between two messages (RFC 2920 3.1)."""
        self.send()
        second = self.client.send(SENDER, [ALICE, BOB], TEXT)
        third = self.client.send(SENDER, [ALICE, BOB], TEXT)
        writes = self.transport.writes
        self.converse(GROUP + "S: 250 OK\nS: 250 OK\nS: 250 OK\nS: 354 Go" + CONTENT + GROUP)
        self.assertEqual(self.transport.writes, writes + 1)
        self.converse("S: 250 One")
        self.assertEqual(self.result(self.sent)[0].text, "One")
        self.converse("S: 250 OK\nS: 250 OK\nS: 250 OK\nS: 354 Go" + CONTENT + GROUP)
        self.converse("S: 250 Two\nS: 250 OK\nS: 250 OK\nS: 250 OK\nS: 354 Go" + CONTENT + "S: 250 Three")
        self.assertEqual(self.result(second)[0].text, "Two")
        self.assertEqual(self.result(third)[0].text, "Three")

    def test_replies_octet_by_octet(self) -> None:
        self.send()
        self.converse(
            GROUP + "S: 250 OK\nS: 250 OK\nS: 250 OK\nS: 354 Go" + CONTENT + "S: 250-2.0.0 Que\nS: 250 ued",
            feed="octets",
        )
        self.assertEqual(self.result(self.sent), [Outcome(250, "2.0.0", "Que ued")] * 2)

    def test_not_wanted(self) -> None:
        self.connect(PIPELINING, pipelining=False)
        self.client.send(SENDER, [ALICE], TEXT)
        self.converse("C: MAIL FROM:<me@client.example>")


class OneByOneTests(ClientTestCase):
    """Without PIPELINING each command waits for the answer to the one before."""

    def test_a_message(self) -> None:
        self.connect(PLAIN)
        sent = self.client.send(SENDER, [ALICE, BOB], TEXT)
        second = self.client.send("", [ALICE], TEXT)
        self.converse(
            """
            C: MAIL FROM:<me@client.example>
            S: 250 OK
            C: RCPT TO:<alice@mx.example>
            S: 550 5.1.1 No
            C: RCPT TO:<bob@mx.example>
            S: 250 OK
            C: DATA
            S: 354 Go ahead
            """
            + CONTENT
            + """
            S: 250 2.0.0 Queued
            C: MAIL FROM:<>
            S: 550 No
            """
        )
        self.assertEqual(self.codes(sent), [(550, "5.1.1"), (250, "2.0.0")])
        self.assertEqual(self.codes(second), [(550, "5.0.0")])

    def test_all_refused(self) -> None:
        """No DATA then; RSET is waited for too."""
        self.connect(PLAIN)
        sent = self.client.send(SENDER, [ALICE], TEXT)
        second = self.client.send(SENDER, [BOB], TEXT)
        self.converse(
            """
            C: MAIL FROM:<me@client.example>
            S: 250 OK
            C: RCPT TO:<alice@mx.example>
            S: 450 4.2.1 Later
            C: RSET
            S: 250 OK
            C: MAIL FROM:<me@client.example>
            S: 421 4.7.0 Enough
            C closes
            """
        )
        self.assertEqual(self.codes(sent), [(450, "4.2.1")])
        self.assertEqual(self.error(second, ServiceClosing).reply.text, "Enough")


class TooManyRecipientsTests(ClientTestCase):
    """RFC 5321 4.5.3.1.10, RFC 9422."""

    BOB_ALONE = "C: MAIL FROM:<me@client.example>\nC: RCPT TO:<bob@mx.example>\nC: DATA\n"

    def test_452_and_552(self) -> None:
        """What RFC 821 had for it is the same as 452; there need be no enhanced code."""
        for reply in ("452 Too many recipients", "552 Too many recipients", "452 4.3.1 Too many"):
            self.connect(PIPELINING)
            sent = self.client.send(SENDER, [ALICE, BOB], TEXT)
            self.converse(
                GROUP
                + f"S: 250 OK\nS: 250 OK\nS: {reply}\nS: 354 Go"
                + CONTENT
                + "S: 250 One"
                + "\n"
                + self.BOB_ALONE
                + "S: 250 OK\nS: 250 OK\nS: 354 Go"
                + CONTENT
                + "S: 250 Two"
            )
            self.assertEqual([outcome.text for outcome in self.result(sent)], ["One", "Two"])

    def test_552_for_the_first(self) -> None:
        """When nobody was accepted, another transaction would end in the same way."""
        self.connect(PIPELINING)
        sent = self.client.send(SENDER, [ALICE, BOB], TEXT)
        self.converse(GROUP + "S: 250 OK\nS: 552 Too many recipients\nS: 452 Full\nS: 503 Nobody")
        self.assertEqual(
            self.result(sent),
            [Outcome(452, "4.5.3", "Too many recipients"), Outcome(452, "4.0.0", "Full")],
        )

    def test_452_that_speaks_of_the_recipient(self) -> None:
        """A full mailbox is not fuller for the others."""
        self.connect(PIPELINING)
        sent = self.client.send(SENDER, [ALICE, BOB], TEXT)
        self.converse(
            GROUP + "S: 250 OK\nS: 250 OK\nS: 552 5.2.2 Mailbox full\nS: 354 Go" + CONTENT + "S: 250 OK"
        )
        self.assertEqual(self.codes(sent), [(250, "2.0.0"), (452, "4.2.2")])

    def test_those_past_the_limit_come_in_another_transaction(self) -> None:
        self.connect(PIPELINING)
        sent = self.client.send(SENDER, [ALICE, BOB], TEXT)
        self.converse(
            GROUP
            + "S: 250 OK\nS: 250 OK\nS: 452 4.5.3 Too many recipients\nS: 354 Go"
            + CONTENT
            + """
            S: 250 One
            C: MAIL FROM:<me@client.example>
            C: RCPT TO:<bob@mx.example>
            C: DATA
            S: 250 OK
            S: 452 4.5.3 Too many recipients
            S: 503 Nobody
            """
        )
        self.assertEqual(self.codes(sent), [(250, "2.0.0"), (452, "4.5.3")])

    def test_an_announced_limit_is_kept(self) -> None:
        self.connect(offering("LIMITS RCPTMAX=1"))
        sent = self.client.send(SENDER, [ALICE, BOB], TEXT)
        for name in ("alice", "bob"):
            self.converse(
                f"""
                C: MAIL FROM:<me@client.example>
                C: RCPT TO:<{name}@mx.example>
                C: DATA
                S: 250 OK
                S: 250 OK
                S: 354 Go
                {CONTENT.strip()}
                S: 250 For {name}
                ...
                """
            )
        self.assertEqual([outcome.text for outcome in self.result(sent)], ["For alice", "For bob"])

    def test_a_refusal_is_not_of_those_that_come_later(self) -> None:
        """DATA is refused because none of those that were asked for was accepted."""
        self.connect(offering("LIMITS RCPTMAX=1"))
        sent = self.client.send(SENDER, [ALICE, BOB], TEXT)
        self.transport.read()
        self.converse("S: 250 OK\nS: 550 5.1.1 No\nS: 503 5.5.1 No recipients\n...")
        self.assertIn(b"RCPT TO:<bob@mx.example>", self.transport.read())
        self.converse("S: 250 OK\nS: 250 OK\nS: 250 OK\nS: 354 Go\n" + CONTENT + "S: 250 OK")
        self.assertEqual(self.codes(sent), [(550, "5.1.1"), (250, "2.0.0")])

    def test_thousands(self) -> None:
        """However many there are, nothing takes long: so many are asked for at a time."""
        self.connect(PIPELINING)
        self.transport.capacity = 1 << 30
        names = [f"user{number}@d{number}.example" for number in range(2 * MAX_RECIPIENTS + 5)]
        sent = self.client.send(SENDER, names, TEXT)
        asked = []
        while not sent.called:
            said = self.transport.read().decode()
            group = re.findall("RCPT TO:<(.*)>", said)
            asked.append(len(group))
            self.transport.send(b"250 OK\r\n" * (1 + len(group)) + b"354 Go\r\n")
            self.assertIn(b"Hi.", self.transport.read())
            self.transport.send(b"250 OK\r\n")
        self.assertEqual(self.codes(sent), [(250, "2.0.0")] * len(names))
        self.assertEqual(asked, [MAX_RECIPIENTS, MAX_RECIPIENTS, 5])

    def test_what_would_come_later_costs_nothing(self) -> None:
        """A server that takes one at a time, or one domain, is no reason to look at all each time."""
        for offered in ("LIMITS RCPTMAX=1", "LIMITS RCPTDOMAINMAX=1"):
            self.connect(offering(offered))
            looked_at: list[Recipient] = []
            self.patch(
                _plan,
                "render_recipient",
                lambda recipient, offered, seen=looked_at: (seen.append(recipient), b"RCPT TO:<x@y>\r\n")[1],
            )
            self.client.send(SENDER, [f"user@d{number}.example" for number in range(5000)], TEXT)
            self.assertEqual(len(looked_at), 1)

    def test_an_announced_limit_of_domains_is_kept(self) -> None:
        """RFC 9422 RCPTDOMAINMAX: different ones, however they are written."""
        self.connect(offering("LIMITS RCPTDOMAINMAX=2"))
        names = ["a@one.example", "b@two.example", "c@three.example", "d@ONE.example", "e@four.example"]
        sent = self.client.send(SENDER, names, TEXT)
        for group in ("a@one.example b@two.example d@ONE.example", "c@three.example e@four.example"):
            recipients = group.split()
            self.converse(
                "C: MAIL FROM:<me@client.example>\n"
                + "".join(f"C: RCPT TO:<{each}>\n" for each in recipients)
                + "C: DATA\nS: 250 OK\n"
                + "S: 250 OK\n" * len(recipients)
                + "S: 354 Go"
                + CONTENT
                + "S: 250 OK\n..."
            )
        self.assertEqual(self.codes(sent), [(250, "2.0.0")] * 5)

    def test_an_announced_number_of_transactions_is_kept(self) -> None:
        """RFC 9422 MAILMAX counts MAIL commands: those past it are left to another connection."""
        self.connect(offering("LIMITS RCPTMAX=1 MAILMAX=2"))
        sent = self.client.send(SENDER, [ALICE, BOB, "carol@mx.example"], TEXT)
        for name in ("alice", "bob"):
            self.converse(
                f"C: MAIL FROM:<me@client.example>\nC: RCPT TO:<{name}@mx.example>\nC: DATA\n"
                "S: 250 OK\nS: 250 OK\nS: 354 Go" + CONTENT + "S: 250 OK\n..."
            )
        self.assertEqual(self.codes(sent), [(250, "2.0.0"), (250, "2.0.0"), (451, "4.5.0")])
        self.assertEqual(self.codes(self.client.send(SENDER, [ALICE], TEXT)), [(451, "4.5.0")])
        self.client.noop()
        self.converse("C: NOOP")


class WithdrawTests(ClientTestCase):
    """A message that was submitted is taken back, if nothing of its content can have been sent."""

    def test_before_it_is_begun(self) -> None:
        self.connect(PLAIN)
        first, second = (Message(SENDER, [ALICE], TEXT, NO_PARAMETERS) for _ in range(2))
        self.client._session.submit(first)
        self.client._session.submit(second)
        self.assertTrue(self.client._session.withdraw(second))
        self.converse(
            "C: MAIL FROM:<me@client.example>\nS: 250 OK\nC: RCPT TO:<alice@mx.example>\nS: 250 OK\n"
            "C: DATA\nS: 354 Go" + CONTENT + "S: 250 OK"
        )
        self.assertFalse(self.client._session.withdraw(first))
        self.assertTrue(self.client._session.is_idle)
        self.assertNoResult(second.result)

    def test_its_commands_are_sent(self) -> None:
        """Its content is not, even if the message before it needs another transaction after it."""
        for offered in ((), ("CHUNKING", "BINARYMIME")):
            self.connect(offering("LIMITS RCPTMAX=1", *offered))
            first = Message(SENDER, [ALICE, BOB], TEXT, NO_PARAMETERS)
            content = b"\0" * (CHUNK + 1) if offered else TEXT
            second = Message(SENDER, [BOB], content, {"BODY": "BINARYMIME"} if offered else NO_PARAMETERS)
            sent = self.client._session.submit(first)
            self.client._session.submit(second)
            self.transport.read()
            self.transport.send(b"250 OK\r\n" * 2 + b"354 Go\r\n")
            self.clock.pump([0] * 10)  # it is looked at in steps
            self.assertIn(b"RCPT TO:<bob@mx.example>\r\n", self.transport.read())
            self.assertTrue(self.client._session.withdraw(second))
            self.transport.send(b"250 Queued\r\n" + b"250 OK\r\n" * 2 + b"354 Go\r\n" * (not offered))
            self.assertEqual(self.transport.read(), b"")
            self.assertTrue(self.transport.was_aborted)
            self.assertEqual(self.codes(sent)[0][0], 250)

    def test_too_late(self) -> None:
        """Its content is underway, or the server has said something about it."""
        self.connect(PIPELINING)
        message = Message(SENDER, [ALICE], TEXT, NO_PARAMETERS)
        self.client._session.submit(message)
        self.transport.send(b"250 OK\r\n")
        self.assertFalse(self.client._session.withdraw(message))
        self.connect(offering("CHUNKING", "BINARYMIME"))
        message = Message(SENDER, [ALICE], b"\0", {"BODY": "BINARYMIME"})
        self.client._session.submit(message)
        self.assertFalse(self.client._session.withdraw(message))


class UntriedTests(ClientTestCase):
    """Which recipients another connection may send to, when this one is lost."""

    def test_lost(self) -> None:
        large = b"x" * 4_000_000
        for content, replies, untried in (
            (TEXT, 1, [0, 1]),  # MAIL
            (TEXT, 2, [0, 1]),
            (TEXT, 3, [0, 1]),  # both RCPTs
            (TEXT, 4, []),  # DATA: the content is sent, and it is uncertain
            (large, 3, [0, 1]),
            (large, 4, []),  # some of it is sent: another try would cost as much
        ):
            self.connect(PIPELINING)
            message = Message(SENDER, [ALICE, BOB], content, NO_PARAMETERS)
            sent = self.client._session.submit(message)
            self.clock.pump([0] * 100)  # it is looked at in steps
            self.transport.send(
                b"".join([b"250 OK\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 Go\r\n"][:replies])
            )
            self.transport.drop()
            self.assertEqual(message.untried, untried, (len(content), replies))
            self.assertEqual(self.codes(sent), [(451, "4.4.2")] * 2)
            self.assertEqual(UNCERTAIN in self.result(sent), content == TEXT and replies == 4)


class LossTests(ClientTestCase):
    """Connections that end in the middle."""

    def setUp(self) -> None:
        super().setUp()
        self.connect(PIPELINING)
        self.sent = self.client.send(SENDER, [ALICE, BOB], TEXT)

    def test_before_mail_is_answered(self) -> None:
        """Nothing has happened: another connection may try."""
        self.transport.drop()
        self.error(self.sent, ConnectionLost)
        self.error(self.client.send(SENDER, [ALICE], TEXT), ConnectionLost)
        self.error(self.client.noop(), ConnectionLost)

    def test_before_the_content(self) -> None:
        self.converse(GROUP + "S: 250 OK\nS: 550 5.1.1 No")
        self.transport.drop()
        self.assertEqual(self.codes(self.sent), [(550, "5.1.1"), (451, "4.4.2")])

    def test_behind_the_content(self) -> None:
        """Whether it was delivered, nobody knows."""
        self.converse(GROUP + "S: 250 OK\nS: 550 5.1.1 No\nS: 250 OK\nS: 354 Go" + CONTENT)
        second = self.client.send(SENDER, [ALICE], TEXT)
        self.transport.drop()
        self.assertEqual(self.codes(self.sent)[0], (550, "5.1.1"))
        self.assertEqual(self.result(self.sent)[1], UNCERTAIN)
        self.error(second, ConnectionLost)

    def test_421_behind_the_content(self) -> None:
        """That is an answer: it was not delivered."""
        taken = GROUP + "S: 250 OK\nS: 250 OK\nS: 250 OK\nS: 354 Go" + CONTENT
        self.converse(taken + "S: 421 4.3.2 Going\nC closes")
        self.assertEqual(self.result(self.sent), [Outcome(421, "4.3.2", "Going")] * 2)
        self.assertTrue(self.transport.was_aborted)

    def test_421_behind_a_refusal(self) -> None:
        """Everybody is refused for good already."""
        self.converse(GROUP + "S: 550 5.7.1 Never\nS: 421 4.7.0 Too many errors\nC closes")
        self.assertEqual(self.codes(self.sent), [(550, "5.7.1")] * 2)

    def test_421_to_a_recipient(self) -> None:
        self.converse(GROUP + "S: 250 OK\nS: 250 OK\nS: 421 4.7.0 Enough\nC closes")
        self.assertEqual(self.codes(self.sent), [(421, "4.7.0")] * 2)

    def test_no_reply_at_all(self) -> None:
        self.transport.send(b"HTTP/1.1 400 Bad Request\r\n")
        self.error(self.sent, ProtocolViolation)
        self.assertTrue(self.transport.was_aborted)

    def test_success_that_is_none(self) -> None:
        for replies in ("S: 354 Go", "S: 250 OK\nS: 250 OK\nS: 250 OK\nS: 250 What?"):
            self.setUp()
            self.converse(GROUP + replies + "\nC closes")
            self.assertTrue(self.transport.was_aborted)
            self.assertEqual(self.codes(self.sent), [(451, "4.5.0")] * 2)

    def test_what_nobody_asked_for(self) -> None:
        taken = GROUP + "S: 250 OK\nS: 250 OK\nS: 250 OK\nS: 354 Go" + CONTENT
        self.converse(taken + "S: 250 OK\nS: 250 OK\nC closes")
        self.assertEqual(self.codes(self.sent), [(250, "2.0.0")] * 2)
        self.assertFalse(self.client.is_usable)


class ArgumentTests(ClientTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.connect(offering("SMTPUTF8", "X-Y", "DSN"))

    def test_no_command_is_smuggled(self) -> None:
        hostile = "a@b>\r\nRCPT TO:<mallory@mx.example"
        for sender, recipient in ((hostile, ALICE), (SENDER, hostile)):
            self.assertRaises(ValueError, self.client.send, sender, [recipient], TEXT)
        for address in (
            Address("a\r\nRSET", "mx.example"),
            Address("a", "mx.example>\r\nRSET"),
            Address("a", "mx.example> X"),
            Address("a\0", "mx.example"),
            Address("a\ud800", "mx.example"),
        ):
            self.assertEqual(self.codes(self.client.send(SENDER, [address], TEXT)), [(553, "5.1.3")])
            self.assertEqual(self.codes(self.client.send(address, [ALICE], TEXT)), [(553, "5.1.7")])
        for address in (
            Address("a", "b..c"),
            Address("a", "-b.example"),
            Address("a", "b-.example"),
            Address("a", "b.example."),
            Address("a", "b c"),
            Address("a", "[300.1.1.1]"),
            Address("a@b", ""),
            Address("bob", ""),
        ):
            self.assertEqual(self.codes(self.client.send(SENDER, [address], TEXT)), [(553, "5.1.3")], address)
            self.assertEqual(self.codes(self.client.send(address, [ALICE], TEXT)), [(553, "5.1.7")], address)
        self.assertEqual(self.codes(self.client.send(SENDER, [NULL_PATH], TEXT)), [(553, "5.1.3")])
        for parameters in ({"X\r\nY": None}, {"X-Y": "a\r\nb"}, {"RET": "a b"}, {"": None}):
            for outcome in (
                *self.result(self.client.send(SENDER, [ALICE], TEXT, parameters)),
                *self.result(
                    self.client.send(SENDER, [Recipient(Address("a", "b.example"), parameters)], TEXT)
                ),
            ):
                self.assertGreater(outcome.code, 500)
                self.assertTrue(outcome.text.isprintable())
        self.error(self.client.vrfy("x\r\nRSET"), ValueError)
        self.error(self.client.ehlo("x\r\nRSET"), ValueError)
        self.assertEqual(self.read(), b"")

    def test_nobody(self) -> None:
        self.assertRaises(ValueError, self.client.send, SENDER, [], TEXT)

    def test_what_is_no_message(self) -> None:
        """Whoever made it is told, and the next message is sent."""
        for content in ("text", None):
            self.assertRaises(TypeError, self.client.send, SENDER, [ALICE], content)
        self.assertRaises(TypeError, self.client.send, SENDER, [ALICE], TEXT, {"X-Y": 5})
        self.client.send(SENDER, [ALICE, BOB], TEXT)
        self.converse(GROUP)

    def test_postmaster(self) -> None:
        """Who has no domain, and is everywhere (RFC 5321 4.1.1.3)."""
        self.client.send(SENDER, ["postmaster", Address("Postmaster", "")], TEXT)
        self.assertIn(b"RCPT TO:<postmaster>\r\nRCPT TO:<Postmaster>\r\n", self.read())

    def test_quoted(self) -> None:
        self.client.send(Address("a b", "client.example"), [Address('say "hi"', "mx.example")], TEXT)
        self.converse(
            """
            C: MAIL FROM:<"a b"@client.example>
            C: RCPT TO:<"say \\"hi\\""@mx.example>
            C: DATA
            """
        )


class LMTPTests(LMTPClientTestCase):
    """One answer for each recipient that was accepted (RFC 2033 4.2)."""

    LHLO = """
    S: 220 mx.example LMTP
    C: LHLO client.example
    S: 250-mx.example
    S: 250 PIPELINING
    """

    def send(self, *recipients: str) -> None:
        self.connect(self.LHLO)
        self.sent = self.client.send(SENDER, recipients, TEXT)

    def test_each_has_its_own(self) -> None:
        self.send(ALICE, "nobody@mx.example", BOB, ALICE)
        self.converse(
            """
            C: MAIL FROM:<me@client.example>
            C: RCPT TO:<alice@mx.example>
            C: RCPT TO:<nobody@mx.example>
            C: RCPT TO:<bob@mx.example>
            C: RCPT TO:<alice@mx.example>
            C: DATA
            S: 250 OK
            S: 250 OK
            S: 550 5.1.1 Nobody
            S: 250 OK
            S: 250 OK
            S: 354 Go
            """
            + CONTENT
            + """
            S: 250 2.1.5 Alice
            S: 452 4.2.2 Bob is full
            S: 250 2.1.5 Alice again
            """
        )
        self.assertEqual(
            [outcome.text for outcome in self.result(self.sent)],
            ["Alice", "Nobody", "Bob is full", "Alice again"],
        )
        self.assertTrue(self.client._session.is_idle)

    def test_the_next_message_waits_for_all_answers(self) -> None:
        self.send(ALICE, BOB)
        second = self.client.send(SENDER, [ALICE], TEXT)
        self.converse(
            GROUP
            + "S: 250 OK\nS: 250 OK\nS: 250 OK\nS: 354 Go"
            + CONTENT
            + """
            C: MAIL FROM:<me@client.example>
            C: RCPT TO:<alice@mx.example>
            C: DATA
            S: 250 For Alice
            S: 250 For Bob
            S: 550 No
            S: 503 No
            S: 503 No
            """
        )
        self.assertEqual([outcome.text for outcome in self.result(self.sent)], ["For Alice", "For Bob"])
        self.assertEqual(self.codes(second), [(550, "5.0.0")])

    def test_lost_between_the_answers(self) -> None:
        self.send(ALICE, BOB)
        self.converse(GROUP + "S: 250 OK\nS: 250 OK\nS: 250 OK\nS: 354 Go" + CONTENT + "S: 250 For Alice")
        self.transport.drop()
        self.assertEqual(self.codes(self.sent), [(250, "2.0.0"), (451, "4.4.2")])

    def test_421_between_the_answers(self) -> None:
        """It is Bob's; of Carol nothing was said."""
        self.send(ALICE, BOB, "carol@mx.example")
        self.read()
        self.converse("S: 250 OK\nS: 250 OK\nS: 250 OK\nS: 250 OK\nS: 354 Go" + CONTENT)
        self.converse("S: 250 For Alice\nS: 421 4.3.2 Going\nC closes")
        self.assertEqual(self.codes(self.sent)[:2], [(250, "2.0.0"), (421, "4.3.2")])
        self.assertEqual(self.result(self.sent)[2], UNCERTAIN)

    def test_all_refused_but_data_taken(self) -> None:
        """RFC 2033 4.2 has DATA refused then: nobody knows how many answers its end would have."""
        self.send(ALICE, BOB)
        self.converse(GROUP + "S: 250 OK\nS: 550 5.1.1 No\nS: 550 5.1.1 No\nS: 354 Go ahead\nC closes")
        self.assertEqual(self.codes(self.sent), [(550, "5.1.1")] * 2)
        self.assertTrue(self.transport.was_aborted)

    def test_there_is_no_helo(self) -> None:
        self.connect()
        hello = self.client.ehlo()
        self.converse("S: 220 mx\nC: LHLO client.example\nS: 500 What?")
        self.failureResultOf(hello)
