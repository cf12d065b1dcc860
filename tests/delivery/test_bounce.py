"""Reports to senders, as `email`, our own parser and our own client read them."""

from __future__ import annotations

import email.policy
from email.message import EmailMessage
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.content import Content
from mailproto.delivery import bounce
from mailproto.delivery.reports import MAX_RETURNED, Action, RecipientStatus, Report, report
from mailproto.message import binary, scan
from mailproto.model import NULL_PATH, Address, Envelope, Outcome, Parameters, Recipient, Session
from mailproto.smtp.wire import read_address
from tests.smtp.client.dialogue import ClientTestCase, offering

ALICE = "alice@example.org"
CONTENT = b"Message-ID: <1@client.example>\r\nSubject: hello\r\n\r\nHow are you?\r\n"
TAKEN = Outcome(250, "2.0.0", "Delivered")
UNKNOWN = Outcome(550, "5.1.1", "No such mailbox here", "for the log")
FULL = Outcome(452, "4.2.2", "Mailbox full")
NOW = 1_000_000_000.0
SESSION = Session("ESMTP", "mx.example.org", peer="192.0.2.1", helo="client.example")


def envelope(
    *recipients: str, sender: str = "bob@client.example", ask: Parameters | None = None, **parameters: Any
) -> Envelope:
    """One from ``sender``, with the parameters of MAIL; ``ask`` has those of each RCPT."""
    chosen = tuple(Recipient(read_address(each), ask or {}) for each in recipients or (ALICE,))
    return Envelope("4711", read_address(sender), chosen, SESSION, parameters)


def made(about: Envelope, *outcomes: Outcome, content: bytes | Content | None = CONTENT) -> Report:
    found = bounce(about, outcomes, content, clock=lambda: NOW)
    assert found is not None
    return found


def parsed(found: Report) -> EmailMessage:
    """By `email`, without a defect."""
    octets = bytes(found.content)
    assert b"\n" not in octets.replace(b"\r\n", b"")
    assert octets.endswith(b"\r\n")
    message = email.message_from_bytes(octets, policy=email.policy.default)
    for part in (message, *message.iter_parts()):
        assert not part.defects, part.defects
    return message


def parts(found: Report) -> list[EmailMessage]:
    message = parsed(found)
    ours = scan(found.content).root.children
    children = list(cast(Any, message.iter_parts()))
    assert len(ours) == len(children)
    for our, their in zip(ours, children, strict=True):
        kind, subtype, _ = our.content_type(found.content)
        assert (kind + b"/" + subtype).decode().lower() == their.get_content_type()
    return children


def blocks(part: EmailMessage) -> list[dict[str, str]]:
    """The fields of delivery-status, for the message and for each recipient, as `email` reads them."""
    return [dict(each.items()) for each in cast(Any, part.get_payload())]


def status(found: Report) -> list[dict[str, str]]:
    """The same, read by hand."""
    octets = b"".join(binary(found.content, scan(found.content), (2,)) or ())
    text = octets.decode().replace("\r\n ", " ")
    return [
        dict(line.split(": ", 1) for line in block.split("\r\n") if line)
        for block in text.rstrip("\r\n").split("\r\n\r\n")
    ]


class WhenTests(SynchronousTestCase):
    """When there is nothing to tell, and when there is."""

    def assert_told(self, about: Envelope, *outcomes: Outcome) -> None:
        self.assertIsNotNone(bounce(about, outcomes, CONTENT))

    def assert_silent(self, about: Envelope, *outcomes: Outcome) -> None:
        self.assertIsNone(bounce(about, outcomes, CONTENT))

    def test_all_accepted(self) -> None:
        self.assert_silent(envelope(ALICE, "carol@example.org"), TAKEN, TAKEN)
        self.assert_told(envelope(ALICE, "carol@example.org"), TAKEN, UNKNOWN)

    def test_no_report_about_a_report(self) -> None:
        self.assert_silent(envelope(sender=""), UNKNOWN)

    def test_what_the_sender_asks_for(self) -> None:
        for notify, is_told in (
            ("NEVER", False),
            ("SUCCESS", False),
            ("DELAY", False),
            ("SUCCESS,DELAY", False),
            ("FAILURE", True),
            ("SUCCESS,FAILURE", True),
            ("nonsense", True),
        ):
            told = bounce(envelope(ask={"NOTIFY": notify}), [UNKNOWN])
            self.assertEqual(told is not None, is_told, notify)

    def test_each_recipient_for_itself(self) -> None:
        never = Recipient(Address("carol", "example.org"), {"NOTIFY": "NEVER"})
        about = envelope(ALICE)
        both = Envelope("1", about.sender, (*about.recipients, never), SESSION)
        self.assertNotIn(b"carol", bytes(made(both, UNKNOWN, UNKNOWN).content))

    def test_other_actions(self) -> None:
        for action, wanted_by in (
            (Action.DELAYED, {None, "DELAY"}),
            (Action.DELIVERED, {"SUCCESS"}),
            (Action.RELAYED, {"SUCCESS"}),
            (Action.EXPANDED, {"SUCCESS"}),
        ):
            for notify in (None, "NEVER", "FAILURE", "SUCCESS", "DELAY"):
                about = envelope(ask={"NOTIFY": notify} if notify else {})
                told = report(about, [RecipientStatus(about.recipients[0], FULL, action)])
                self.assertEqual(told is not None, notify in wanted_by, (action, notify))

    def test_one_outcome_for_each(self) -> None:
        self.assertRaises(ValueError, bounce, envelope(), [])
        self.assertRaises(ValueError, bounce, envelope(), [UNKNOWN, UNKNOWN])


class HowTests(SynchronousTestCase):
    def test_how_it_is_sent(self) -> None:
        """From nobody, to the sender; and a report about it is not wanted, either."""
        found = made(envelope(), UNKNOWN)
        self.assertEqual(found.sender, NULL_PATH)
        self.assertEqual(
            found.recipients, (Recipient(Address("bob", "client.example"), {"NOTIFY": "NEVER"}),)
        )
        self.assertEqual(found.parameters, {})
        self.assertIsInstance(found.content, Content)

    def test_header(self) -> None:
        message = parsed(made(envelope(), UNKNOWN))
        self.assertEqual(message["From"], "Mail Delivery System <postmaster@mx.example.org>")
        self.assertEqual(message["To"], "bob@client.example")
        self.assertEqual(message["Subject"], "Your message could not be delivered")
        self.assertEqual(message["Date"], "Sun, 09 Sep 2001 01:46:40 +0000")
        self.assertEqual(message["Auto-Submitted"], "auto-replied")
        self.assertEqual(message["In-Reply-To"], "<1@client.example>")
        self.assertRegex(str(message["Message-ID"]), r"^<[0-9a-f]{32}@mx\.example\.org>$")
        self.assertEqual(message.get_content_type(), "multipart/report")
        self.assertEqual(message.get_param("report-type"), "delivery-status")

    def test_for_people(self) -> None:
        about = envelope(ALICE, "carol@example.org", "dave@example.org")
        text = parts(made(about, UNKNOWN, TAKEN, FULL))[0]
        self.assertEqual(text.get_content_type(), "text/plain")
        self.assertEqual(
            text.get_content().replace("\r\n", "\n"),
            """\
This is the mail server mx.example.org.

Your message could not be delivered to these addresses, and will not be
tried again:

<alice@example.org>
    There is no such mailbox: check how the address is spelled.
    In detail: 550 5.1.1 No such mailbox here

<dave@example.org>
    The mailbox is full: send the message again later, or reach the
    recipient in another way.
    In detail: 452 4.2.2 Mailbox full

The server's name for your message is 4711.
""",
        )

    def test_for_programs(self) -> None:
        about = envelope(
            ALICE,
            "carol@example.org",
            ask={"ORCPT": "rfc822;Alice+2Blist@old.example"},
            ENVID="QQ+2B31",
        )
        second = parts(made(about, UNKNOWN, TAKEN))[1]
        self.assertEqual(second.get_content_type(), "message/delivery-status")
        self.assertEqual(
            blocks(second),
            [
                {
                    "Original-Envelope-Id": "QQ+31",
                    "Reporting-MTA": "dns; mx.example.org",
                    "Received-From-MTA": "dns; client.example",
                },
                {
                    "Original-Recipient": "rfc822;Alice+list@old.example",
                    "Final-Recipient": "rfc822;alice@example.org",
                    "Action": "failed",
                    "Status": "5.1.1",
                    "Diagnostic-Code": "X-mailproto; 550 5.1.1 No such mailbox here",
                },
            ],
        )

    def test_what_a_queue_knows(self) -> None:
        """Hosts and times; several actions in one report, the worst news first."""
        alice, carol, dave, eve = envelope(
            ALICE, "carol@example.org", "dave@example.org", "eve@example.org", ask={"NOTIFY": "SUCCESS,DELAY"}
        ).recipients
        about = envelope(ALICE, "carol@example.org", "dave@example.org", "eve@example.org")
        found = report(
            about,
            [
                RecipientStatus(alice, TAKEN, Action.DELIVERED),
                RecipientStatus(
                    carol,
                    Outcome(451, "4.7.1", "Greylisted"),
                    Action.DELAYED,
                    remote="mx.far.example",
                    attempted=NOW,
                    retried_until=NOW + 86400,
                ),
                RecipientStatus(dave, TAKEN, Action.RELAYED, remote="mx.far.example"),
                RecipientStatus(eve, TAKEN, Action.EXPANDED),
            ],
            CONTENT,
            arrived=NOW - 3600,
            hostname="relay.example.org",
            clock=lambda: NOW,
        )
        assert found is not None
        text, second, returned = parts(found)
        self.assertEqual(parsed(found)["Subject"], "Your message is delayed")
        body = text.get_content()
        self.assertIn(
            "until Mon, 10 Sep 2001 01:46:40 +0000: you need not do anything", " ".join(body.split())
        )
        self.assertIn("mx.far.example said: 451 4.7.1 Greylisted", body)
        self.assertIn("does not report deliveries", body)
        first, *rest = blocks(second)
        self.assertEqual(first["Reporting-MTA"], "dns; relay.example.org")
        self.assertEqual(first["Arrival-Date"], "Sun, 9 Sep 2001 00:46:40 +0000")
        self.assertEqual([each["Action"] for each in rest], ["delivered", "delayed", "relayed", "expanded"])
        self.assertEqual(rest[1]["Remote-MTA"], "dns; mx.far.example")
        self.assertEqual(rest[1]["Last-Attempt-Date"], "Sun, 9 Sep 2001 01:46:40 +0000")
        self.assertEqual(rest[1]["Will-Retry-Until"], "Mon, 10 Sep 2001 01:46:40 +0000")
        self.assertNotIn("Diagnostic-Code", rest[0])
        self.assertEqual(rest[1]["Diagnostic-Code"], "smtp; 451 4.7.1 Greylisted")
        self.assertEqual(returned.get_content_type(), "text/rfc822-headers")

    def test_each_code_is_explained(self) -> None:
        """In one sentence that says what to do."""
        said = set()
        for enhanced in ("5.1.1", "5.2.2", "4.4.7", "5.3.4", "5.5.3", "5.6.7", "5.6.1", "5.7.1", "5.0.0"):
            outcome = Outcome(int(f"{enhanced[0]}50"), enhanced, "No")
            lines = parts(made(envelope(), outcome))[0].get_content().split("<alice@example.org>")[1]
            sentence = " ".join(lines.split("In detail")[0].split())
            self.assertTrue(sentence.endswith("."), sentence)
            said.add(sentence)
        self.assertEqual(len(said), 9)


class SendTests(ClientTestCase):
    """`SMTPClient.send` takes a report as it is."""

    def test_by_our_client(self) -> None:
        for extensions, notify in ((["DSN"], " NOTIFY=NEVER"), ([], "")):
            self.connect(offering(*extensions))
            sent = self.client.send(*made(envelope(), UNKNOWN))
            self.assertEqual(
                self.transport.read().decode(),
                f"MAIL FROM:<>\r\nRCPT TO:<bob@client.example>{notify}\r\nDATA\r\n",
            )
            self.transport.send(b"250 OK\r\n250 OK\r\n354 Go\r\n")
            self.assertIn(b"report-type=delivery-status", self.read())
            self.transport.send(b"250 OK\r\n")
            self.assertEqual(self.codes(sent), [(250, "2.0.0")])

    def test_to_an_international_sender(self) -> None:
        self.connect(offering("SMTPUTF8", "8BITMIME"))
        about = envelope(ALICE, sender="bøb@client.example", SMTPUTF8=None)
        self.client.send(*made(about, UNKNOWN, content="Subject: ü\r\n\r\n".encode()))
        self.assertIn("MAIL FROM:<> BODY=8BITMIME SMTPUTF8\r\n", self.transport.read().decode())


class ReturnedTests(SynchronousTestCase):
    """What of the message comes back."""

    def returned(self, content: bytes, **parameters: Any) -> EmailMessage:
        return parts(made(envelope(**parameters), UNKNOWN, content=Content(content)))[2]

    def test_the_whole_message(self) -> None:
        asked: list[dict[str, Any]] = [{}, {"RET": "FULL"}]
        for ret in asked:
            part = self.returned(CONTENT, **ret)
            self.assertEqual(part.get_content_type(), "message/rfc822")
            self.assertEqual(part.get_content()["Subject"], "hello")
            found = made(envelope(**ret), UNKNOWN)
            self.assertIn(b"\r\n\r\n" + CONTENT + b"\r\n--", bytes(found.content))

    def test_only_the_header(self) -> None:
        header = CONTENT.partition(b"\r\n\r\n")[0] + b"\r\n"
        for part in (
            self.returned(CONTENT, RET="HDRS"),
            self.returned(header + b"\r\n" + b"x\r\n" * MAX_RETURNED),
            self.returned(header + b"\r\n" + b"\0\r\n"),
            self.returned(header + b"\r\n" + b"bare \n\r\n"),
        ):
            self.assertEqual(part.get_content_type(), "text/rfc822-headers")
            octets = part.get_payload(decode=True)
            self.assertEqual(octets, header)

    def test_no_line_is_too_long(self) -> None:
        header = b"Subject: x\r\nReferences: <%b@a.example>\r\n" % (b"x" * 5000)
        for content, octets in (
            (header + b"\r\nHi.\r\n", header),
            (b"Subject: x\r\n\r\n" + b"y" * 5000, b"Subject: x\r\n"),
        ):
            about = envelope(ask={"ORCPT": f"rfc822;{'z' * 490}@b.example"})
            failed = Outcome(550, "5.7.1", "w" * 5000)
            for sent in (about, envelope("bob@client.example", SMTPUTF8=None)):
                found = made(sent, failed, content=content)
                self.assertLessEqual(max(map(len, bytes(found.content).split(b"\r\n"))), 998)
                part = parts(found)[2]
                self.assertEqual(part.get_content_type(), "text/rfc822-headers")
                self.assertEqual(part.get_payload(decode=True), octets)
                self.assertIn("w" * 200, status(found)[1]["Diagnostic-Code"])

    def test_nothing(self) -> None:
        self.assertEqual(len(parts(made(envelope(), UNKNOWN, content=None))), 2)

    def test_limits(self) -> None:
        """A message that is all header, whose end does not come in time."""
        endless = b"X: y\r\n" * MAX_RETURNED
        part = self.returned(endless)
        self.assertLessEqual(len(cast(bytes, part.get_payload(decode=True))), MAX_RETURNED)
        self.assertLess(len(made(envelope(), UNKNOWN, content=endless).content), MAX_RETURNED + 5000)
        for content in (b"", b"\r\n", b"no field", b"\r\nbody\r\n", b"X: y"):
            self.returned(content)

    def test_eight_bits(self) -> None:
        """The message comes back as it was, and the report says that it needs 8BITMIME."""
        content = "Subject: x\r\n\r\nGrüße\r\n".encode()
        found = made(envelope(), UNKNOWN, content=content)
        self.assertEqual(found.parameters, {"BODY": "8BITMIME"})
        self.assertIn(content, bytes(found.content))
        for part in (parsed(found), parts(found)[2]):  # a whole has what its parts have (RFC 2045 6.4)
            self.assertEqual(part.get("Content-Transfer-Encoding"), "8bit")


class InternationalTests(SynchronousTestCase):
    """RFC 6533."""

    def test_an_ascii_sender(self) -> None:
        """The report needs nothing of the way back: what is international is encoded."""
        header = "Subject: Grüße\r\n"
        about = envelope("ä@bücher.example", SMTPUTF8=None, ask={"ORCPT": "utf-8;\\x{E4}@b"})
        found = made(about, UNKNOWN, content=f"{header}\r\nHi.\r\n".encode())
        self.assertEqual(found.parameters, {})
        self.assertTrue(bytes(found.content).isascii())
        self.assertEqual(parsed(found).get_param("report-type"), "global-delivery-status")
        text, second, returned = parts(found)
        self.assertIn("<ä@bücher.example>", text.get_content())
        self.assertEqual(second.get_content_type(), "message/global-delivery-status")
        fields = status(found)[1]
        self.assertEqual(fields["Final-Recipient"], "utf-8;ä@bücher.example")
        self.assertEqual(fields["Original-Recipient"], "utf-8;ä@b")
        self.assertEqual(returned.get_content_type(), "message/global")

    def test_an_international_sender(self) -> None:
        about = envelope(ALICE, sender="bøb@client.example", SMTPUTF8=None, RET="HDRS")
        found = made(about, UNKNOWN, content="Subject: Grüße\r\n\r\nHi.\r\n".encode())
        self.assertEqual(found.parameters, {"BODY": "8BITMIME", "SMTPUTF8": None})
        octets = bytes(found.content)
        self.assertIn("To: <bøb@client.example>\r\n".encode(), octets)
        self.assertIn("Subject: Grüße\r\n".encode(), octets)
        _, second, returned = parts(found)
        self.assertEqual(second.get_content_type(), "message/delivery-status")
        self.assertEqual(returned.get_content_type(), "message/global-headers")

    def test_without_smtputf8(self) -> None:
        """An international address can only come from a program; it is written in ASCII."""
        found = made(envelope("ä@example.org"), UNKNOWN)
        second = parts(found)[1]
        self.assertEqual(second.get_content_type(), "message/delivery-status")
        self.assertEqual(blocks(second)[1]["Final-Recipient"], "utf-8;\\x{E4}@example.org")

    def test_a_reply_that_is_not_ascii(self) -> None:
        text, second, _ = parts(made(envelope(), Outcome(550, "5.1.1", "Unbekannt: Jürgen")))
        self.assertIn("Jürgen", text.get_content())
        self.assertIn("J?rgen", blocks(second)[1]["Diagnostic-Code"])


ANYTHING = st.text(max_size=200) | st.text("a \r\n:;-=_\0\x1bé\u202e", max_size=200)


class HostileTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(ANYTHING, ANYTHING, ANYTHING, st.binary(max_size=200), st.booleans(), st.booleans())
    def test_anything(self, text: str, name: str, helo: str, content: bytes, utf8: bool, hdrs: bool) -> None:
        """No value leaves its field, and no field its part."""
        session = Session("ESMTP", "mx.example.org", helo=helo)
        parameters: dict[str, str | None] = {"ENVID": name, "RET": "HDRS" if hdrs else "FULL"}
        if utf8:
            parameters["SMTPUTF8"] = None
        recipient = Recipient(Address(name or "x", "example.org"), {"ORCPT": f"rfc822;{name}"})
        about = Envelope("4711", Address("bob", "client.example"), (recipient,), session, parameters)
        failed = RecipientStatus(recipient, Outcome(550, "5.7.1", text), remote=helo)
        found = report(about, [failed], content, clock=lambda: NOW)
        assert found is not None
        octets = bytes(found.content)
        self.assertEqual(
            octets.replace(b"\r\n", b"").count(b"\r") + octets.replace(b"\r\n", b"").count(b"\n"), 0
        )
        self.assertNotIn(b"\0", octets)
        self.assertLessEqual(max(map(len, octets.split(b"\r\n"))), 998)
        root = scan(found.content).root
        self.assertEqual(len(root.children), 3)
        parts(found)
        self.assertEqual(len(status(found)), 2)
        self.assertEqual(status(found)[1]["Action"], "failed")
        self.assertRegex(status(found)[1]["Status"], r"^[245]\.\d+\.\d+$")
