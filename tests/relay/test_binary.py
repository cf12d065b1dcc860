"""Binary messages (BINARYMIME, RFC 3030): as they are to other servers, in lines for mailboxes."""

from __future__ import annotations

from collections.abc import Sequence
from email import message_from_bytes
from typing import Any

from mailproto.content import Content
from mailproto.errors import Refused, Unavailable
from mailproto.model import NewQueued, Outcome
from mailproto.relay import QueueDelivery, _conversion
from mailproto.testing import make_envelope
from tests.relay.test_expansion import AliasCase
from tests.relay.test_intake import SUBMISSION, address, execute

HEAD = (
    b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: application/x\r\n"
    b"Content-Transfer-Encoding: binary\r\n\r\n"
)
BINARY = HEAD + b"\0a\nb\rc\xff"
IN_LINES = HEAD.replace(b"binary", b"base64") + b"AGEKYg1j/w==\r\n"
SIGNED = (
    b"MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n"
    b"Content-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\r\n--s\r\n"
    b"Content-Type: application/pgp-signature\r\n\r\nx\r\n--s--\r\n"
)


class BinaryTests(AliasCase):
    TABLE = {**AliasCase.TABLE, "here@example.org": "alice@example.org"}

    def make(self, **settings: Any) -> QueueDelivery:
        return super().make(in_thread=execute, **settings)

    def give(self, *recipients: str, content: bytes = BINARY) -> Any:
        envelope = make_envelope(
            address("alice@example.org"), recipients, session=SUBMISSION, parameters={"BODY": "BinaryMIME"}
        )
        return self.delivery.deliver(envelope, Content(content))

    def given(self, *recipients: str, content: bytes = BINARY) -> list[NewQueued]:
        outcomes: Sequence[Outcome] = self.settled(self.give(*recipients, content=content))
        self.assertEqual({each.code for each in outcomes}, {250})
        added, self.queue.added = self.queue.added, []
        return added

    def test_to_another_server(self) -> None:
        [new] = self.given("x@remote.example")
        self.assertEqual(bytes(new.content), BINARY)
        self.assertEqual(new.envelope.parameters, {"BODY": "BinaryMIME"})

    def test_to_a_mailbox(self) -> None:
        delivered: list[bytes] = []

        async def deliver(envelope: Any, content: Content) -> None:
            delivered.append(bytes(content))

        self.patch(self.delivery._local, "deliver", deliver)
        self.assertEqual(self.given("alice@example.org"), [])
        self.assertEqual(self.given("here@example.org"), [])
        self.assertEqual(delivered, [IN_LINES] * 2)

    def test_to_both(self) -> None:
        here, there = self.given("x@remote.example", "alice@example.org", "y@remote.example")
        self.assertEqual(bytes(here.content)[here.skip :], IN_LINES)
        self.assertEqual((here.destinations, len(here.placements)), ((None,), 1))
        self.assertEqual(bytes(there.content), BINARY)
        self.assertEqual(there.destinations, ("remote.example", "remote.example"))
        self.assertEqual((there.skip, there.placements), (0, ()))

    def test_to_an_alias_of_both(self) -> None:
        here, there = self.given("bob@example.org")
        self.assertEqual(bytes(here.content)[here.skip :], b"Delivered-To: bob@example.org\r\n" + IN_LINES)
        self.assertEqual(bytes(there.content), b"Delivered-To: bob@example.org\r\n" + BINARY)

    def test_what_is_in_lines_already_stays(self) -> None:
        for content in (HEAD + b"caf\xc3\xa9\r\n", HEAD + b"no end", SIGNED.replace(b"\0", b"\xff")):
            [new] = self.given("x@remote.example", "alice@example.org", content=content)
            self.assertEqual(bytes(new.content)[new.skip :], content)

    def test_what_is_signed(self) -> None:
        self.assertEqual(len(self.given("x@remote.example", content=SIGNED)), 1)
        mailbox, other = "alice@example.org", "x@remote.example"
        for recipients in ((mailbox,), (other, mailbox), ("bob@example.org",)):
            error = self.refused(self.give(*recipients, content=SIGNED), Refused)
            self.assertEqual((error.code, error.enhanced), (554, "5.6.3"))
            self.assertIn("what is signed must not be changed", error.text)
            self.assertEqual(self.queue.added, [])

    def test_a_disk_that_fails(self) -> None:
        self.delivery = self.make(spool_folder="/nowhere/at/all")
        content = HEAD + b"\0" * 1_000_000
        error = self.refused(self.give("alice@example.org", content=content), Unavailable)
        self.assertEqual(error.code, 451)

    def test_a_long_message_has_its_header_in_memory(self) -> None:
        body = bytes(range(256)) * 4000
        made = _conversion.in_lines(Content(HEAD + body), None)
        self.assertTrue(made.prefix.startswith(HEAD.replace(b"binary", b"base64")))
        self.assertLess(len(made.prefix), _conversion.IN_MEMORY + 1000)
        self.assertEqual(message_from_bytes(bytes(made)).get_payload(decode=True), body)

    def test_short_conversions_need_no_file(self) -> None:
        self.assertEqual(bytes(_conversion.in_lines(Content(BINARY), "/nowhere/at/all")), IN_LINES)
