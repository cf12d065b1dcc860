"""The client with our own server and its store in memory."""

from __future__ import annotations

import io
from typing import Any

from mailproto.auth import Password
from mailproto.client.errors import ProtocolViolation
from mailproto.connection._compression import Deflater
from mailproto.content import Content
from mailproto.imap import IMAPClient
from mailproto.imap.client._view import MailboxView
from mailproto.imap.values import (
    Exists,
    Expunged,
    FlagsChanged,
    IMAPEvent,
    KnownMailbox,
    Query,
    StatusChanged,
    Vanished,
)
from mailproto.message import summarise
from mailproto.model import NewMessage
from mailproto.testing import MemoryTransport, connected
from tests.imap.server.dialogue import DialogueTestCase

MIXED = (
    b"From: =?utf-8?q?=C3=84nne?= <aenne@x.example>\r\nTo: bob@x.example, Team: c@x.example;\r\n"
    b"Subject: =?utf-8?b?w4RwZmVs?=\r\nMessage-ID: <1@x>\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
    b"--c\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"Gr=FC=DFe\r\n--c\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<b>hi</b>\r\n--c--\r\n"
    b"--b\r\nContent-Type: application/pdf; name*=utf-8''%C3%A4.pdf\r\nContent-Transfer-Encoding: base64\r\n"
    b'Content-Disposition: attachment; filename="a.pdf"\r\n\r\nAAECAwQF\r\n'
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n--b--\r\n"
)


class OurServerTests(DialogueTestCase):
    def sign_in(self, listener: Any = None) -> Any:
        client = IMAPClient(self.clock, listener=listener)
        link = connected(self.factory, client, clock=self.clock)
        self.addCleanup(link.pump)
        self.addCleanup(client.abort)
        link.result(client.authenticate(Password("alice", "secret")))
        return link

    def test_a_message_comes_back_as_it_was(self) -> None:
        link = self.sign_in()
        client = link.client
        large = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 20_000
        dated = NewMessage(MIXED, frozenset({"\\Seen", "$Kept"}), 1_000_000_000)
        appended = link.result(client.append("INBOX", dated, Content(large)))
        self.assertEqual(appended.uids, (1, 2))
        self.assertEqual(link.result(client.select("INBOX")).exists, 2)

        items = ("FLAGS", "ENVELOPE", "BODYSTRUCTURE", "INTERNALDATE", "RFC822.SIZE", "BODY.PEEK[]", "MODSEQ")
        first, second = link.result(client.fetch("1:*", *items).all())
        self.assertEqual(first.content, MIXED)
        self.assertEqual(second.content, large)
        self.assertEqual((first.size, second.size), (len(MIXED), len(large)))
        self.assertEqual(first.flags - {"\\Recent"}, {"\\Seen", "$Kept"})
        self.assertEqual(int(first.internal_date.timestamp()), 1_000_000_000)
        envelope = first.envelope
        self.assertEqual((envelope.subject, envelope.message_id), ("Äpfel", "<1@x>"))
        self.assertEqual([str(each) for each in envelope.from_], ["Änne <aenne@x.example>"])
        self.assertEqual([each.address for each in envelope.to], ["bob@x.example", "c@x.example"])
        self.assertEqual(envelope.sent.isoformat(), "1994-02-07T21:52:25-08:00")

        self.assertEqual(first.raw("ENVELOPE"), summarise(Content(MIXED)).envelope)
        self.assertEqual(first.raw("BODYSTRUCTURE"), summarise(Content(MIXED)).body_structure)
        self.assertIsNone(first.raw("PREVIEW"))

        sink = io.BytesIO()
        self.assertEqual(link.result(client.fetch_into(2, sink)), len(large))
        self.assertEqual(sink.getvalue(), large)
        self.assertIsNone(link.result(client.fetch_one(9, "FLAGS")))

    def test_parts(self) -> None:
        link = self.sign_in()
        client = link.client
        link.result(client.append("INBOX", MIXED))
        link.result(client.select("INBOX"))
        structure = link.result(client.structure(1))
        self.assertEqual(
            [(part.number, part.media_type) for part in structure.walk()],
            [
                ("TEXT", "multipart/mixed"),
                ("1", "multipart/alternative"),
                ("1.1", "text/plain"),
                ("1.2", "text/html"),
                ("2", "application/pdf"),
                ("3", "message/rfc822"),
                ("3.1", "text/plain"),
            ],
        )
        pdf = structure.parts[1]
        self.assertEqual((pdf.file_name, pdf.disposition, pdf.encoding), ("a.pdf", "attachment", "base64"))
        self.assertEqual(pdf.parameters["name"], "ä.pdf")
        self.assertEqual(structure.parts[2].envelope.subject, "inner")
        self.assertEqual(link.result(client.part(1, pdf)).octets, b"\0\1\2\3\4\5")
        self.assertEqual(link.result(client.part(1)).text, "Grüße")
        self.assertEqual(link.result(client.part(1, "text/html")).text, "<b>hi</b>")
        self.assertEqual(link.result(client.part(1, structure.parts[2].parts[0])).text, "inner text")
        self.assertIsNone(link.result(client.part(1, "image/*")))
        self.assertNotIn("\\Seen", link.result(client.fetch_one(1, "FLAGS")).flags)

    def test_changes_since_last_time(self) -> None:
        link = self.sign_in()
        client = link.client
        link.result(client.append("INBOX", *[MIXED] * 5))
        self.assertEqual(link.result(client.enable("QRESYNC")), {"QRESYNC"})
        box = link.result(client.select("INBOX"))
        link.result(client.unselect())

        other = self.sign_in()
        other.result(other.client.select("INBOX"))
        other.result(other.client.store([2, 3], add={"\\Deleted"}))
        other.result(other.client.expunge([3]))
        other.result(other.client.store([5], add={"\\Flagged"}))

        known = KnownMailbox(box.uid_validity, box.modseq, "1:5")
        again = link.result(client.select("INBOX", known=known))
        self.assertEqual(again.vanished, [3])
        self.assertEqual(
            [(each.uid, each.flags - {"\\Recent"}) for each in again.changed],
            [(2, {"\\Deleted"}), (5, {"\\Flagged"})],
        )
        fetched = client.fetch("1:*", "FLAGS", changed_since=box.modseq, vanished=True)
        self.assertEqual([each.uid for each in link.result(fetched.all())], [2, 5])
        self.assertEqual(fetched.vanished, [3])
        stored = link.result(client.store("1:5", add={"x"}, unchanged_since=box.modseq))
        self.assertEqual(stored.refused, [2, 5])

    def test_events(self) -> None:
        link, other = self.sign_in(), self.sign_in()
        link.result(link.client.append("INBOX", *[MIXED] * 3))
        link.result(link.client.select("INBOX"))
        other.result(other.client.select("INBOX"))
        events = link.client.idle()
        link.advance(1)
        link.advance(1)
        other.result(other.client.store(2, add={"\\Seen", "\\Deleted"}))
        other.result(other.client.expunge())
        other.result(other.client.append("INBOX", MIXED))
        found: list[IMAPEvent] = []
        for _ in range(3):
            link.advance(1)
            found.append(link.result(events.__anext__()))
        self.assertIsInstance(found[0], FlagsChanged)
        self.assertEqual(found[1:], [Expunged(2, 2), Exists(3)])
        self.assertEqual(link.result(link.client.search(Query.all())).uids, [1, 3, 4])
        events.close()
        link.advance(1)

    def test_vanished_events(self) -> None:
        link, other = self.sign_in(), self.sign_in()
        link.result(link.client.append("INBOX", *[MIXED] * 3))
        link.result(link.client.enable("QRESYNC"))
        link.result(link.client.select("INBOX"))
        other.result(other.client.select("INBOX"))
        other.result(other.client.store("1:2", add={"\\Deleted"}))
        other.result(other.client.expunge())
        events = link.client.idle()
        link.result(link.client.noop())
        found = [link.result(events.__anext__())]
        self.assertIsInstance(found[0], Vanished)
        self.assertEqual(link.client.exists, 1)
        events.close()
        link.advance(1)

    def test_the_rest(self) -> None:
        told: list[IMAPEvent] = []
        link = self.sign_in(told.append)
        client = link.client
        link.result(client.create("Café/Sub"))
        self.assertIn("Café/Sub", [each.name for each in link.result(client.list("Café/*"))])
        link.result(client.set_metadata("INBOX", {"/private/comment": b"mine\r\n", "/private/x": b"y"}))
        got = link.result(client.metadata("INBOX", "/private", depth="infinity"))
        self.assertEqual(got, {"/private/comment": b"mine\r\n", "/private/x": b"y"})
        link.result(client.set_metadata("INBOX", {"/private/x": None}))
        self.assertEqual(link.result(client.metadata("INBOX", "/private/x")), {"/private/x": None})
        self.assertIn("l", link.result(client.my_rights("INBOX")))
        link.result(client.set_acl("INBOX", "carol", "lr"))
        self.assertEqual(link.result(client.acl("INBOX"))["carol"], "lr")
        link.result(client.delete_acl("INBOX", "carol"))
        self.assertNotIn("carol", link.result(client.acl("INBOX")))
        self.assertIsNotNone(link.result(client.quota("INBOX")))
        self.assertEqual(link.result(client.namespace()).personal[0].prefix, "")
        self.assertTrue(link.result(client.id(name="test")))
        link.result(
            client.notify(
                selected={"MessageNew", "MessageExpunge"}, personal={"MessageNew", "MessageExpunge"}
            )
        )
        other = self.sign_in()
        other.result(other.client.append("Sent", MIXED))
        link.advance(1)
        self.assertIn("Sent", [each.name for each in told if isinstance(each, StatusChanged)])
        link.result(client.notify())

    def test_extensions(self) -> None:
        link = self.sign_in()
        client = link.client
        link.result(client.append("INBOX", *[MIXED] * 5))
        link.result(client.set_metadata("INBOX", {"/private/comment": b"mine"}))
        link.result(client.append("Sent", b"Subject: sent\r\n\r\n"))
        listed = {
            each.name: each
            for each in link.result(
                client.list(rights=True, metadata=["/private/comment"], status=["MESSAGES"])
            )
        }
        inbox = listed["INBOX"]
        self.assertEqual((inbox.counts.messages, inbox.metadata), (5, {"/private/comment": b"mine"}))
        self.assertEqual(inbox.rights, link.result(client.my_rights("INBOX")))
        self.assertIn("l", inbox.rights)
        found = link.result(client.search_in(["INBOX", "Sent", "Trash", "no such"], "UNSEEN"))
        self.assertEqual(
            {name: list(each) for name, each in found.items()}, {"INBOX": [*range(1, 6)], "Sent": [1]}
        )

        selected = link.result(client.select("INBOX"))
        self.assertEqual(found["INBOX"].uid_validity, selected.uid_validity)
        self.assertEqual(link.result(client.search(partial=(-1, -2), save=True)).uids, [4, 5])
        self.assertEqual([each.uid for each in link.result(client.fetch("$", "FLAGS").all())], [4, 5])
        link.result(client.store("$", add={"\\Flagged"}))
        self.assertEqual(link.result(client.search(Query.flagged() & Query.uids("$"))).uids, [4, 5])
        fetched = client.fetch("1:*", "FLAGS", partial=(2, 3)).all()
        self.assertEqual([each.uid for each in link.result(fetched)], [2, 3])
        self.assertEqual(list(link.result(client.sort("ARRIVAL", partial=(-1, -2)))), [4, 5])
        searches = [client.search(f"UID {uid}") for uid in range(1, 6)]
        self.assertEqual([link.result(each).uids[0] for each in searches], [1, 2, 3, 4, 5])
        part = link.result(client.part(1))
        self.assertEqual((part.text, part.structure.encoding), ("Grüße", "binary"))
        self.assertEqual(link.result(client.language("de", "en-GB")), ("en",))
        self.assertEqual(link.result(client.name_of("a", "b")), "a/b")

    def test_international_messages(self) -> None:
        link = self.sign_in()
        client = link.client
        self.assertEqual(link.result(client.enable("UTF8=ACCEPT")), {"UTF8=ACCEPT"})
        international = "Subject: Grüße\r\nFrom: änne@exämple.org\r\n\r\nü\r\n".encode()
        link.result(client.append("INBOX", international, MIXED, international))
        link.result(client.select("INBOX"))
        contents = [each.content for each in link.result(client.fetch("1:*", "BODY.PEEK[]").all())]
        self.assertEqual(contents, [international, MIXED, international])

    def test_what_a_program_has(self) -> None:
        """Sequence match data: all that the program has, although much of it is gone."""
        link = self.sign_in()
        client = link.client
        link.result(client.append("INBOX", *[MIXED] * 40))
        link.result(client.enable("QRESYNC"))
        box = link.result(client.select("INBOX"))
        link.result(client.unselect())
        other = self.sign_in()
        other.result(other.client.select("INBOX"))
        other.result(other.client.store("3,30:35", add={"\\Deleted"}))
        other.result(other.client.expunge())
        for has_all in (False, True):
            known = KnownMailbox(box.uid_validity, box.modseq, range(1, 41), has_all=has_all)
            self.assertEqual(link.result(client.select("INBOX", known=known)).vanished, [3, *range(30, 36)])

    def test_octets_that_stand_for_many(self) -> None:
        """They are restored in turns, so that the reactor does other work in between."""
        link = self.sign_in()
        client = link.client
        link.result(client.compress())
        told: list[object] = []
        client._session.unasked.listeners.append(told.append)
        deflater = Deflater()
        client._session.view = MailboxView("x", 10)
        link.client_transport.send(
            deflater.compress(b"".join(b"* %07d EXISTS\r\n" % at for at in range(9, 100_000)))
        )
        first = len(told)
        self.assertLess(first, 20_000)
        link.pump()
        self.assertEqual(len(told), 99_991)
        link.client_transport.send(deflater.compress(b"* 1 EXISTS\r\n" * 100_000))
        client.abort()

    def test_damaged(self) -> None:
        link = self.sign_in()
        link.result(link.client.compress())
        waiting = link.client.noop()
        link.client_transport.send(b"* 1 EXISTS\r\n")
        self.failureResultOf(waiting, ProtocolViolation)

    def test_compressed(self) -> None:
        link = self.sign_in()
        client = link.client
        link.result(client.compress())
        link.result(client.append("INBOX", MIXED * 100))
        link.result(client.select("INBOX"))
        message = link.result(client.fetch_one(1, "BODY.PEEK[]"))
        self.assertEqual(message.content, MIXED * 100)
        client.quit()
        link.pump()
        self.assertFalse(client.is_usable)

    def test_the_next_account_begins_in_clear(self) -> None:
        """UNAUTHENTICATE ends the compression, too, which may begin anew (RFC 8437 4.1)."""
        link = self.sign_in()
        client = link.client
        for _ in range(2):
            link.result(client.compress())
            link.result(client.enable("QRESYNC"))
            self.assertEqual(link.result(client.select("INBOX")).name, "INBOX")
            link.result(client.unauthenticate())
            self.assertEqual((client.selected, client.enabled, client.authenticated_by), (None, set(), ""))
            link.result(client.authenticate(Password("alice", "secret")))
            link.result(client.noop())

    def test_what_follows_a_compressed_stream(self) -> None:
        """With or without its end, and however it is cut."""
        for end in (b"", b"\x03\x00", b"\x01\x00\x00\xff\xff"):
            for size in (1, 2, 3, 100):
                with self.subTest(end=end, size=size):
                    client = IMAPClient(self.clock)
                    transport = MemoryTransport(client.protocol)
                    transport.send(b"* PREAUTH [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE UNAUTHENTICATE]\r\n")
                    client.compress()
                    transport.send(b"A1 OK\r\n")
                    done = client.unauthenticate()
                    transport.read()
                    octets = Deflater().compress(b"A2 OK [CAPABILITY IMAP4rev1] Bye\r\n") + end
                    transport.send(octets, size)
                    transport.send(b"* CAPABILITY X\r\n* CAPABILITY Y\r\n", size)
                    self.successResultOf(done)
                    self.assertEqual(client.capabilities, {"Y"})
                    waiting = client.noop()
                    self.assertEqual(transport.read(), b"A3 NOOP\r\n")
                    transport.send(b"A3 OK\r\n", size)
                    self.successResultOf(waiting)
                    client.abort()

    def test_what_follows_is_damaged(self) -> None:
        client = IMAPClient(self.clock)
        transport = MemoryTransport(client.protocol)
        transport.send(b"* PREAUTH [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE UNAUTHENTICATE]\r\n")
        client.compress()
        transport.send(b"A1 OK\r\n")
        client.unauthenticate()
        transport.send(Deflater().compress(b"A2 OK [CAPABILITY IMAP4rev1] Bye\r\n"))
        transport.send(b"\x01\x01\x01\x01\x01\x01")
        self.failureResultOf(client.noop(), ProtocolViolation)
        self.assertFalse(transport.is_open)
