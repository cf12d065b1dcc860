"""A transaction that is said command by command: MAIL, RCPT, and DATA or BDAT (RFC 5321 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from mailproto.client.errors import (
    CommandRefused,
    ConnectionLost,
    NotOffered,
    OutOfOrder,
    ProtocolViolation,
    ServerTimeout,
    ServiceClosing,
)
from mailproto.content import Content
from mailproto.errors import MailError
from mailproto.model import NULL_PATH, Address, Recipient
from mailproto.smtp.client._content import PIECE
from mailproto.testing import Feed
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

MAIL = "C: MAIL FROM:<me@client.example>\n"
RCPT = "C: RCPT TO:<alice@mx.example>\n"
OK = "S: 250 OK\n"
CONTENT = "C: DATA\nS: 354 Go\nC: Subject: hello\nC: \nC: Hi.\nC: .\n"


class StepTests(ClientTestCase):
    def begin(self, transcript: str = PIPELINING, *recipients: str) -> None:
        """A transaction with these recipients."""
        self.connect(transcript)
        self.client.mail(SENDER)
        self.converse(MAIL + OK)
        for recipient in recipients:
            self.client.rcpt(recipient)
            self.converse(f"C: RCPT TO:<{recipient}>\n{OK}")

    def test_one_message(self) -> None:
        self.connect(PIPELINING)
        mail = self.client.mail(SENDER)
        self.converse(MAIL + "S: 250 2.1.0 Sender OK")
        self.assertEqual(self.result(mail).text, "Sender OK")
        for recipient in (ALICE, BOB):
            rcpt = self.client.rcpt(recipient)
            self.converse(f"C: RCPT TO:<{recipient}>\nS: 250 OK")
            self.result(rcpt)
        data = self.client.data(b"Subject: hi\n\n.\n")
        self.converse("C: DATA\nS: 354 Go\nC: Subject: hi\nC: \nC: ..\nC: .\nS: 250 2.0.0 Queued as 1")
        outcomes = self.result(data)
        self.assertEqual([(each.code, each.text) for each in outcomes], [(250, "Queued as 1")] * 2)
        self.assertEqual([each.detail for each in outcomes], ["250 2.0.0 Queued as 1"] * 2)

    def test_asked_for_at_once(self) -> None:
        """In order; the RCPTs in one write; a refusal changes nothing of what comes after it."""
        self.connect(PIPELINING)
        mail = self.client.mail(SENDER)
        asked = [self.client.rcpt(ALICE), self.client.rcpt(BOB)]
        data = self.client.data(TEXT)
        self.assertEqual(self.read(), b"MAIL FROM:<me@client.example>\r\n")
        self.transport.send(b"250 OK\r\n")
        self.assertEqual(self.transport.read(), b"RCPT TO:<alice@mx.example>\r\nRCPT TO:<bob@mx.example>\r\n")
        self.transport.send(b"550 5.1.1 No such user\r\n")
        self.assertEqual(self.read(), b"")
        self.transport.send(b"250 OK\r\n")
        self.converse(CONTENT + OK)
        self.result(mail)
        self.assertEqual(str(self.error(asked[0], CommandRefused)), "550 5.1.1 No such user")
        self.result(asked[1])
        self.assertEqual(self.codes(data), [(250, "2.0.0")])

    def test_without_pipelining(self) -> None:
        self.connect(PLAIN)
        self.client.mail(SENDER)
        self.client.rcpt(ALICE)
        self.client.rcpt(BOB)
        self.converse(f"{MAIL}{OK}{RCPT}{OK}C: RCPT TO:<bob@mx.example>\n{OK}")

    def test_messages_and_steps_wait_for_each_other(self) -> None:
        self.begin(PIPELINING)
        rcpt = self.client.rcpt(ALICE)
        sent = self.client.send(SENDER, [BOB], TEXT)
        late = self.client.rcpt(ALICE)
        self.converse(
            f"""
            {RCPT}S: 250 OK
            C: RSET
            {MAIL}C: RCPT TO:<bob@mx.example>
            C: DATA
            S: 250 OK
            S: 250 OK
            S: 250 OK
            S: 354 Go
            C: Subject: hello
            C:
            C: Hi.
            C: .
            S: 250 OK
            """
        )
        self.result(rcpt)
        self.assertEqual(self.codes(sent), [(250, "2.0.0")])
        self.error(late, OutOfOrder)

    # -- the order

    def test_out_of_order(self) -> None:
        """Nothing is sent, the error says what comes first, and the session goes on."""
        client = self.connect(offering("CHUNKING"))
        early: list[Callable[[], Deferred[Any]]] = [
            lambda: client.rcpt(ALICE),
            lambda: client.data(TEXT),
            lambda: client.bdat(TEXT),
        ]
        for ask in early:
            self.assertEqual(
                str(self.error(ask(), OutOfOrder)), "There is no transaction: `mail` comes first"
            )
        client.mail(SENDER)
        self.converse(MAIL + OK)
        for ask in early[1:]:
            self.assertEqual(
                str(self.error(ask(), OutOfOrder)),
                "The server has accepted no recipient: `rcpt` comes first",
            )
        self.assertIn("`rset`", str(self.error(client.mail(SENDER), OutOfOrder)))
        self.assertEqual(self.read(), b"")
        client.rcpt(ALICE)
        self.converse(RCPT + OK)
        data = client.data(TEXT)
        self.converse(CONTENT + OK)
        self.result(data)
        for ask in early:
            self.error(ask(), OutOfOrder)
        self.assertEqual(self.read(), b"")

    def test_an_order_of_ours_is_no_fault_of_the_next_client(self) -> None:
        self.connect(PIPELINING)
        error = self.error(self.client.rcpt(ALICE), OutOfOrder)
        self.assertEqual((error.code, error.enhanced), (451, "4.5.0"))
        self.assertNotIn("mail", error.text)
        self.assertIn("`mail` comes first", error.detail)

    def test_after_a_refused_sender(self) -> None:
        self.connect(PIPELINING)
        mail, rcpt = self.client.mail(SENDER), self.client.rcpt(ALICE)
        self.converse(MAIL + "S: 451 Later")
        self.assertFalse(self.error(mail, CommandRefused).is_permanent)
        self.error(rcpt, OutOfOrder)
        mail = self.client.mail(SENDER)
        self.converse(MAIL + OK)
        self.result(mail)

    def test_what_ends_a_transaction(self) -> None:
        client = self.connect(PIPELINING)
        for end, said in (
            (client.rset, "C: RSET\nS: 250 OK"),
            (client.ehlo, "C: EHLO client.example\nS: 250-mx.example\nS: 250 PIPELINING"),
        ):
            client.mail(SENDER)
            self.converse(MAIL + OK)
            end().addErrback(lambda _: None)
            self.converse(said)
            self.error(client.rcpt(ALICE), OutOfOrder)

    def test_mail_after_a_message_that_nobody_took(self) -> None:
        """The server is still in that transaction, so RSET is sent."""
        self.connect(PIPELINING)
        sent = self.client.send(SENDER, [ALICE], TEXT)
        self.converse(f"{MAIL}{RCPT}C: DATA\nS: 250 OK\nS: 550 No\nS: 503 No")
        self.assertEqual(self.codes(sent), [(550, "5.0.0")])
        mail = self.client.mail(SENDER)
        self.converse(f"C: RSET\n{OK}{MAIL}{OK}")
        self.result(mail)

    def test_a_refused_reset(self) -> None:
        self.begin(PIPELINING, ALICE)
        rset = self.client.rset()
        self.converse("C: RSET\nS: 502 What?")
        self.error(rset, CommandRefused)
        self.client.mail(SENDER).addErrback(lambda _: None)
        self.assertEqual(self.read(), b"")

    def test_a_whole_message_after_half_a_one(self) -> None:
        """`send` gives up a transaction that was begun by hand."""
        self.begin()
        sent = self.client.send(SENDER, [ALICE], TEXT)
        self.converse(
            f"C: RSET\n{MAIL}{RCPT}C: DATA\nS: 250 OK\nS: 250 OK\nS: 550 No\nS: 503 No",
        )
        self.assertEqual(self.codes(sent), [(550, "5.0.0")])
        self.error(self.client.data(TEXT), OutOfOrder)

    # -- refusals

    def test_refused_content(self) -> None:
        """The transaction is over; the server must be told so if it has refused DATA."""
        self.begin(PIPELINING, ALICE)
        data = self.client.data(TEXT)
        self.converse("C: DATA\nS: 451 4.7.1 Try later")
        self.assertEqual(self.error(data, CommandRefused).reply.code, 451)
        self.error(self.client.rcpt(ALICE), OutOfOrder)
        self.client.mail(SENDER)
        self.converse(f"C: RSET\n{OK}{MAIL}{OK}")
        self.client.rcpt(ALICE)
        self.converse(RCPT + OK)
        data = self.client.data(TEXT)
        self.converse(CONTENT + "S: 554 5.7.1 No, thanks")
        self.assertEqual(self.error(data, CommandRefused).reply.code, 554)
        mail = self.client.mail(SENDER)
        self.converse(MAIL + OK)
        self.result(mail)

    def test_a_refusal_can_be_passed_on(self) -> None:
        """It is a `MailError` with the codes and the whole text."""
        for said, code, enhanced, text in (
            ("550 5.1.1 No such user", 550, "5.1.1", "No such user"),
            ("452 Mailbox full", 452, "4.0.0", "Mailbox full"),
            ("550-5.7.26 See\r\n550-5.7.26 \r\n550 5.7.26 https://x", 550, "5.7.26", "See\n\nhttps://x"),
            ("550-5.1.1 One\r\n550 two", 550, "5.1.1", "One\ntwo"),
            ("550", 550, "5.0.0", ""),
            ("550 4.1.1 x", 550, "5.0.0", "4.1.1 x"),
            ("550 5.1.1 \x1b[2J", 550, "5.1.1", "\\x1b[2J"),
        ):
            self.begin()
            rcpt = self.client.rcpt(ALICE)
            self.read()
            self.transport.send(said.encode() + b"\r\n")
            error = self.error(rcpt, CommandRefused)
            self.assertIsInstance(error, MailError)
            self.assertEqual(
                (error.code, error.enhanced, error.text, error.detail), (code, enhanced, text, "")
            )

    def test_a_closing_server_can_be_passed_on(self) -> None:
        self.begin()
        rcpt = self.client.rcpt(ALICE)
        self.converse(RCPT + "S: 421 4.3.2 Going down\nC closes")
        error = self.error(rcpt, ServiceClosing)
        self.assertEqual((error.code, error.enhanced, error.text), (421, "4.3.2", "Going down"))

    def test_what_no_client_of_ours_is_told(self) -> None:
        """Where the next hop is, and what is wrong with it."""
        self.begin()
        rcpt = self.client.rcpt(ALICE)
        self.transport.drop()
        error = self.error(rcpt, ConnectionLost)
        self.assertEqual((error.code, error.enhanced), (451, "4.4.2"))
        self.assertEqual(error.text, "Temporary failure, try again later")
        self.assertIn("Connection lost", error.detail)

    # -- parameters

    def test_parameters_that_are_offered(self) -> None:
        self.connect(offering("8BITMIME", "DSN", "SIZE", "SMTPUTF8", "AUTH PLAIN", "X"))
        parameters = {"RET": "HDRS", "BODY": "8BITMIME", "SIZE": "10", "AUTH": "<>", "X": "1"}
        self.client.mail(Address("me", "bücher.example"), parameters)
        self.converse(
            f"C: MAIL FROM:<me@xn--bcher-kva.example> RET=HDRS BODY=8BITMIME SIZE=10 AUTH=<> X=1\n{OK}"
        )
        recipient = Recipient(Address("bob", "mx.example"), {"NOTIFY": "NEVER"})
        for wishes, said in ((None, " NOTIFY=NEVER"), ({"X": None}, " X"), ({}, ""), ({"x": None}, " X")):
            self.client.rcpt(recipient, wishes)
            self.converse(f"C: RCPT TO:<bob@mx.example>{said}\n{OK}")

    def test_wishes_that_are_not_offered(self) -> None:
        self.connect(PIPELINING)
        wishes = {"RET": "HDRS", "ENVID": "1", "SIZE": "10", "AUTH": "<>", "BODY": "7BIT"}
        self.client.mail(SENDER, wishes)
        self.converse(MAIL + OK)
        self.client.rcpt(ALICE, {"NOTIFY": "NEVER", "ORCPT": "rfc822;a@b"})
        self.converse(RCPT + OK)

    def test_needs_that_are_not_offered(self) -> None:
        """Nothing is sent; the error has the answer for a client of ours."""
        self.connect(offering("BINARYMIME"))
        for sender, parameters, code in (
            (SENDER, {"BODY": "8BITMIME"}, (554, "5.6.3")),
            (SENDER, {"BODY": "BINARYMIME"}, (554, "5.6.3")),  # it has no CHUNKING
            (SENDER, {"SMTPUTF8": None}, (553, "5.6.7")),
            ("mé@client.example", {}, (553, "5.6.7")),
            (SENDER, {"REQUIRETLS": None}, (550, "5.7.30")),
            (SENDER, {"X": "1"}, (555, "5.5.4")),
        ):
            error = self.error(self.client.mail(sender, parameters), NotOffered)
            self.assertEqual((error.code, error.enhanced, error.is_permanent), (*code, True))
            self.assertEqual(str(error), f"{error.code} {error.enhanced} {error.text}")
        self.client.mail(SENDER)
        self.converse(MAIL + OK)
        self.assertEqual(self.error(self.client.rcpt(ALICE, {"X": "1"}), NotOffered).code, 555)
        self.assertEqual(self.error(self.client.rcpt("ä@mx.example"), NotOffered).enhanced, "5.6.7")
        self.assertEqual(self.read(), b"")

    def test_international_addresses(self) -> None:
        """SMTPUTF8 is added if the sender needs it; the recipients depend on it (RFC 6531 3.4)."""
        self.connect(offering("SMTPUTF8"))
        self.client.mail("mé@client.example")
        self.converse(f"C: MAIL FROM:<mé@client.example> SMTPUTF8\n{OK}")
        self.client.rcpt("ä@bücher.example")
        self.converse(f"C: RCPT TO:<ä@bücher.example>\n{OK}")
        self.client.rset()
        self.converse(f"C: RSET\n{OK}")
        self.client.mail(SENDER)
        self.converse(MAIL + OK)
        self.assertIn("without SMTPUTF8", str(self.error(self.client.rcpt("ä@mx.example"), NotOffered)))

    def test_the_null_sender(self) -> None:
        self.connect(PIPELINING)
        self.client.mail(NULL_PATH)
        self.converse(f"C: MAIL FROM:<>\n{OK}")

    def test_what_cannot_be_said(self) -> None:
        self.connect(PIPELINING)
        for ask in (self.client.mail, self.client.rcpt):
            for address in ("no address", "a@b\r\nRSET", "a@b>\r\nRSET", "a@" + "x" * 400):
                self.assertRaises(ValueError, ask, address)
            for parameters in ({"A B": None}, {"A": "b c"}, {"A": "\r\nRSET"}, {"": "x"}):
                self.assertRaises(ValueError, ask, SENDER, parameters)
        self.assertRaises(ValueError, self.client.rcpt, NULL_PATH)
        for say in (self.client.vrfy, self.client.expn, self.client.etrn):
            self.error(say("x\r\nRSET"), ValueError)
        self.assertEqual(self.read(), b"")
        self.assertTrue(self.client.is_usable)

    # -- content

    def test_what_content_is(self) -> None:
        self.begin(offering("CHUNKING"), ALICE)
        for ask in (self.client.data, self.client.bdat):
            for wrong in ("text", None, EmailMessage()):
                self.assertRaises(TypeError, ask, wrong)
        data = self.client.data(Content(TEXT))
        self.converse(CONTENT + OK)
        self.result(data)

    def test_too_much(self) -> None:
        self.begin(offering("SIZE 100"), ALICE)
        error = self.error(self.client.data(b"x" * 101), NotOffered)
        self.assertEqual((error.code, error.enhanced), (552, "5.3.4"))
        self.assertEqual(self.read(), b"")
        self.client.mail(SENDER)
        self.converse(f"C: RSET\n{OK}{MAIL}{OK}")

    def test_large_content_waits_for_the_server(self) -> None:
        self.begin(PIPELINING, ALICE)
        data = self.client.data(b"x" * 76 + b"\r\n" * 400_000)
        self.converse("C: DATA\nS: 354 Go\n...")
        read = 0
        while octets := self.read():
            read += len(octets)
        self.assertEqual(read, 76 + 800_000 + 3)
        self.clock.advance(599)
        self.assertNoResult(data)
        self.clock.advance(1)
        self.assertEqual(str(self.error(data, ServerTimeout)), "Timed out: no answer to the end of data")

    def test_content_that_cannot_be_read(self) -> None:
        """It must not end as if it were whole."""

        def failing(content: Content, where: slice) -> bytes:
            raise OSError(5, "Input/output error")

        self.patch(Content, "__getitem__", failing)
        for ask, said in (("data", "C: DATA\nS: 354 Go\nC closes"), ("bdat", "C closes")):
            self.begin(offering("CHUNKING"), ALICE)
            sent = getattr(self.client, ask)(Content.of_file("none", 1000))
            self.converse(said)
            self.assertIn("Input/output error", str(self.error(sent, ConnectionLost)))
            self.assertEqual(self.read(), b"")
            self.assertTrue(self.transport.was_aborted)

    def test_an_answer_before_the_content_ended(self) -> None:
        self.begin(PIPELINING, ALICE)
        data = self.client.data(b"x" * 3_000_000)
        self.transport.read()
        self.transport.send(b"354 Go\r\n")
        self.transport.send(b"552 5.3.4 Too much\r\n")
        self.assertIn("552", str(self.error(data, ProtocolViolation)))
        self.assertFalse(self.transport.is_open)

    # -- the end of the connection, and of patience

    def test_lost_on_the_way(self) -> None:
        """At each step: what was asked for fails, once, and so does all after it."""
        for heard in range(5):
            self.connect(PIPELINING)
            asked: list[Deferred[Any]] = [
                self.client.mail(SENDER),
                self.client.rcpt(ALICE),
                self.client.data(TEXT),
                self.client.noop(),
            ]
            for reply in (b"250 OK\r\n", b"250 OK\r\n", b"354 Go\r\n", b"250 OK\r\n")[:heard]:
                self.read()
                self.transport.send(reply)
            self.transport.drop()
            answered = [0, 1, 2, 2, 3][heard]
            for each in asked[:answered]:
                self.result(each)
            for each in asked[answered:]:
                self.error(each, ConnectionLost)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_silence(self) -> None:
        for number, seconds in enumerate((300, 300, 120)):
            self.connect(PIPELINING)
            asked: list[Deferred[Any]] = [
                self.client.mail(SENDER),
                self.client.rcpt(ALICE),
                self.client.data(TEXT),
            ]
            for _ in range(number):
                self.read()
                self.transport.send(b"250 OK\r\n")
            self.clock.advance(seconds - 1)
            self.assertNoResult(asked[number])
            self.clock.advance(1)
            for each in asked[number:]:
                self.error(each, ServerTimeout)

    def test_cancelled_in_the_queue(self) -> None:
        """Nothing of it is sent."""
        self.connect(offering("CHUNKING"))
        self.client.mail(SENDER)
        asked: list[Deferred[Any]] = [
            self.client.rcpt(BOB),
            self.client.data(TEXT),
            self.client.bdat(TEXT),
            self.client.noop(),
        ]
        rcpt = self.client.rcpt(ALICE)
        for each in asked:
            each.cancel()
            self.error(each, CancelledError)
        self.converse(MAIL + OK + RCPT + OK)
        self.result(rcpt)

    def test_a_cancelled_envelope_is_given_up(self) -> None:
        """Nobody knows whether the server took the recipient: it must not get a message that was refused."""
        for reply in ("250 OK", "550 No"):
            self.begin(PIPELINING, BOB)
            rcpt = self.client.rcpt(ALICE)
            self.converse(RCPT + "...")
            rcpt.cancel()
            self.error(rcpt, CancelledError)
            data = self.client.data(TEXT)
            self.transport.send(reply.encode() + b"\r\n")
            self.error(data, OutOfOrder)
            self.client.mail(SENDER)
            self.converse(f"C: RSET\n{OK}{MAIL}...")

    def test_a_cancelled_sender(self) -> None:
        self.connect(PIPELINING)
        mail = self.client.mail(SENDER)
        self.converse(MAIL + "...")
        mail.cancel()
        self.error(mail, CancelledError)
        rcpt = self.client.rcpt(ALICE)
        self.transport.send(b"250 OK\r\n")
        self.error(rcpt, OutOfOrder)
        self.client.mail(SENDER)
        self.converse(f"C: RSET\n{OK}{MAIL}...")

    def test_a_sender_that_is_cancelled_before_it_is_sent(self) -> None:
        """While RSET ends the transaction before."""
        self.begin(PIPELINING, ALICE)
        self.client.data(TEXT).addErrback(lambda _: None)
        self.converse("C: DATA\nS: 451 Later")
        mail = self.client.mail(SENDER)
        self.converse("C: RSET\n...")
        mail.cancel()
        self.error(mail, CancelledError)
        self.converse(f"S: 250 OK\n{MAIL}{OK}")
        self.error(self.client.rcpt(ALICE), OutOfOrder)

    def test_cancelled_content_is_not_delivered(self) -> None:
        self.begin(PIPELINING, ALICE)
        data = self.client.data(b"x" * 3_000_000)
        self.transport.read()
        self.transport.send(b"354 Go\r\n")
        data.cancel()
        self.error(data, CancelledError)
        self.assertTrue(self.transport.was_aborted)
        self.error(self.client.noop(), ConnectionLost)
        self.assertNotIn(b"\r\n.\r\n", self.read())


class ChunkTests(ClientTestCase):
    """BDAT (RFC 3030)."""

    def begin(self, *parameters: str) -> None:
        self.connect(offering("CHUNKING", "BINARYMIME", "8BITMIME"))
        self.client.mail(SENDER, dict(each.split("=") for each in parameters))
        said = MAIL.replace(">", "> " + " ".join(parameters)).replace("> \n", ">\n")
        self.converse(said + OK)
        self.client.rcpt(ALICE)
        self.converse(RCPT + OK)

    def test_one_chunk(self) -> None:
        self.begin()
        sent = self.client.bdat(b"Hi\n")
        self.assertEqual(self.read(), b"BDAT 4 LAST\r\nHi\r\n")
        self.transport.send(b"250 2.0.0 Taken\r\n")
        self.assertEqual(self.codes(sent), [(250, "2.0.0")])
        self.error(self.client.data(TEXT), OutOfOrder)

    def test_nothing(self) -> None:
        self.begin()
        sent = self.client.bdat(b"")
        self.assertEqual(self.read(), b"BDAT 0 LAST\r\n")
        self.transport.send(b"250 2.0.0 Taken\r\n")
        self.result(sent)

    def test_binary(self) -> None:
        """As it is; and only by BDAT."""
        self.begin("BODY=BINARYMIME")
        self.assertIn("`bdat`", str(self.error(self.client.data(b"\0\n"), OutOfOrder)))
        self.client.bdat(b"\0\n")
        self.assertEqual(self.read(), b"BDAT 2 LAST\r\n\0\n")

    def chunks(self) -> list[int]:
        """The octets of each chunk that was sent; a last one counts negatively."""
        sizes = []
        octets = self.read()
        while octets:
            line, _, octets = octets.partition(b"\r\n")
            words = line.split()
            size = int(words[1])
            sizes.append(-size if words[2:] == [b"LAST"] else size)
            octets = octets[size:]
        return sizes

    def test_large_content(self) -> None:
        """A few chunks at a time; the last one after the others were taken."""
        self.begin()
        sent = self.client.bdat(b"x" * (PIECE * 10 - 2) + b"\r\n" + b"y\r\n")
        self.assertEqual(self.chunks(), [PIECE] * 8)
        self.transport.send(b"250 OK\r\n")
        self.assertEqual(self.chunks(), [PIECE])
        self.transport.send(b"250 OK\r\n" * 8)
        self.assertEqual(self.chunks(), [PIECE])
        self.transport.send(b"250 OK\r\n")
        self.assertEqual(self.chunks(), [-3])
        self.assertNoResult(sent)
        self.transport.send(b"250 OK\r\n")
        self.result(sent)

    def test_a_refused_chunk(self) -> None:
        """The rest is not sent, and RSET comes before another transaction (RFC 3030 2)."""
        self.begin()
        sent = self.client.bdat(b"x" * PIECE * 20)
        self.assertEqual(len(self.chunks()), 8)
        self.transport.send(b"552 5.3.4 Too much\r\n")
        self.assertNoResult(sent)
        self.transport.send(b"503 5.5.1 No\r\n" * 7)
        self.assertEqual(self.error(sent, CommandRefused).code, 552)
        self.error(self.client.rcpt(ALICE), OutOfOrder)
        self.client.mail(SENDER)
        self.converse(f"C: RSET\n{OK}{MAIL}{OK}")

    def test_lost_on_the_way(self) -> None:
        self.begin()
        sent = self.client.bdat(b"x" * PIECE * 20)
        self.chunks()
        self.transport.send(b"250 OK\r\n")
        self.transport.drop()
        self.error(sent, ConnectionLost)

    def test_cancelled(self) -> None:
        self.begin()
        sent = self.client.bdat(b"x" * PIECE * 20)
        sent.cancel()
        self.error(sent, CancelledError)
        self.assertTrue(self.transport.was_aborted)

    def test_not_offered(self) -> None:
        self.connect(PIPELINING)
        self.client.mail(SENDER)
        self.client.rcpt(ALICE)
        self.converse(MAIL + OK + RCPT + OK)
        self.assertEqual(self.error(self.client.bdat(TEXT), NotOffered).enhanced, "5.6.3")


class LMTPStepTests(LMTPClientTestCase):
    LHLO = offering("CHUNKING").replace("EHLO", "LHLO")

    def begin(self, *answers: str) -> None:
        self.connect(self.LHLO)
        self.client.mail(SENDER)
        self.converse(MAIL + OK)
        for number, answer in enumerate(answers):
            self.client.rcpt(f"r{number}@mx.example").addErrback(lambda _: None)
            self.converse(f"C: RCPT TO:<r{number}@mx.example>\nS: {answer}")
        self.data = self.client.data(TEXT)

    def end(self, replies: str, feed: Feed = "turns") -> None:
        self.converse(CONTENT + replies, feed)

    def test_one_answer_for_each_recipient(self) -> None:
        """Of those that were accepted (RFC 2033 4.2), together in one packet or octet by octet."""
        for feed in ("turns", "octets"):
            self.begin("250 OK", "550 No", "250 OK")
            self.end("S: 250 2.0.0 One\nS: 452 4.2.2 Full", feed)
            self.assertEqual(
                [(each.code, each.text) for each in self.result(self.data)], [(250, "One"), (452, "Full")]
            )
            noop = self.client.noop()
            self.converse("C: NOOP\nS: 250 OK")
            self.result(noop)

    def test_one_too_many(self) -> None:
        self.begin("250 OK")
        self.end("S: 250 One\nS: 250 Two\nC closes")
        self.result(self.data)
        self.assertFalse(self.client.is_usable)

    def test_one_too_few(self) -> None:
        self.begin("250 OK", "250 OK")
        self.end("S: 250 One")
        self.assertNoResult(self.data)
        self.transport.drop()
        self.error(self.data, ConnectionLost)

    def test_no_recipient(self) -> None:
        """Nothing is sent: nothing would say how many answers there will be."""
        self.begin("550 No")
        self.error(self.data, OutOfOrder)
        self.assertEqual(self.read(), b"")

    def test_chunks(self) -> None:
        self.begin("250 OK", "250 OK")
        self.end("S: 250 One\nS: 250 Two")
        self.client.mail(SENDER)
        self.client.rcpt(ALICE)
        self.client.rcpt(BOB)
        for reply in (b"250 OK\r\n", b"250 OK\r\n250 OK\r\n"):
            self.read()
            self.transport.send(reply)
        sent = self.client.bdat(b"Hi\r\n")
        self.assertEqual(self.read(), b"BDAT 4 LAST\r\nHi\r\n")
        self.transport.send(b"250 OK\r\n550 5.7.1 No\r\n")
        self.assertEqual(self.codes(sent), [(250, "2.0.0"), (550, "5.7.1")])

    def test_a_second_message(self) -> None:
        """The recipients of the first one do not count for it."""
        self.begin("250 OK", "250 OK")
        self.end("S: 250 One\nS: 250 Two")
        self.result(self.data)
        self.client.mail(SENDER)
        self.converse(MAIL + OK)
        self.client.rcpt(ALICE)
        self.converse(RCPT + OK)
        self.data = self.client.data(TEXT)
        self.end("S: 250 Three")
        self.assertEqual([each.text for each in self.result(self.data)], ["Three"])
