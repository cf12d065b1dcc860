"""The examples of ``docs/imap-client.md`` do what the page says, with our own server."""

from __future__ import annotations

import contextlib
import io
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from mailproto.auth import Password
from mailproto.imap import IMAPClient
from mailproto.testing import connected
from tests.docs.pages import Page
from tests.imap.server.dialogue import DialogueTestCase, message


class ImapClientPageTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.examples: dict[str, Any] = {}
        for language, text in Page("imap-client.md").blocks:
            self.assertEqual(language, "python")
            exec(compile(text, "example", "exec", dont_inherit=True), self.examples)
        self.link = self.connect()
        append = self.link.client.append("INBOX", message("one"), message("two"))
        self.link.result(append)

    def connect(self) -> Any:
        client = IMAPClient(self.clock)
        link = connected(self.factory, client, clock=self.clock)
        self.addCleanup(link.pump)
        self.addCleanup(client.abort)
        link.result(client.authenticate(Password("alice", "secret")))
        return link

    def run_example(self, name: str, *arguments: Any, after: float = 0) -> tuple[Any, str]:
        """The result of an example, and what it prints."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            result = self.link.result(self.examples[name](self.link.client, *arguments), after=after)
        return result, printed.getvalue()

    def test_unread(self) -> None:
        """The first one, without its TLS, which is not spoken in memory."""
        link = self.link

        class Opened:
            @staticmethod
            async def open(reactor: object, server: Any) -> Any:
                assert (server.host, server.tls) == ("mail.example", "implicit")
                return link.client

        self.examples["IMAPClient"] = Opened
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            link.result(self.examples["print_unread"](None, "mail.example"))
        self.assertEqual(printed.getvalue(), "1 one\n2 two\n")

    def test_mailboxes(self) -> None:
        (validity, uid_next, _), printed = self.run_example("mailboxes")
        self.assertIn("INBOX 2 []\n", printed)
        self.assertIn("Sent 0 ['\\\\Sent']\n", printed)
        names = [each.name for each in self.link.result(self.link.client.list())]
        self.assertIn("Projects/Ünique", names)
        self.assertEqual((validity > 0, uid_next), (True, 3))

    def test_messages(self) -> None:
        _, printed = self.run_example("messages")
        self.assertIn("Hello Bob", printed)
        self.assertEqual(self.link.result(self.link.client.search("UNSEEN")).uids, [])

    def test_attachments(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        letter = EmailMessage()
        letter.set_content("See the file.")
        letter.add_attachment(b"%PDF", "application", "pdf", filename="../Übersicht.pdf")
        self.link.result(self.link.client.append("INBOX", letter))
        self.link.result(self.link.client.select("INBOX"))
        self.run_example("save_attachments", 3, folder)
        self.assertEqual(
            {each.name: each.read_bytes() for each in folder.iterdir()}, {"Übersicht.pdf": b"%PDF"}
        )
        self.run_example("save_attachments", 99, folder)

    def test_parts_of_a_mailbox(self) -> None:
        found, printed = self.run_example("latest")
        self.assertEqual((found, printed), ([1, 2], "1 one\n2 two\n"))

    def test_what_was_found_last(self) -> None:
        found, _ = self.run_example("mark_all_read")
        self.assertEqual(found, [1, 2])
        self.assertEqual(self.link.result(self.link.client.search("UNSEEN")).uids, [])

    def test_filing(self) -> None:
        self.run_example("filing")
        self.assertEqual(self.link.result(self.link.client.search()).uids, [])

    def test_watch(self) -> None:
        waiting: list[Any] = []
        Deferred.fromCoroutine(self.examples["watch"](self.link.client)).addBoth(waiting.append)
        for _ in range(3):
            self.link.advance(1)
        other = self.connect()
        other.result(other.client.append("INBOX", message("three")))
        for _ in range(3):
            self.link.advance(1)
        self.assertEqual(waiting, [3])

    def test_changes(self) -> None:
        client = self.link.client
        selected = self.link.result(client.select("INBOX"))
        self.link.result(client.unselect())
        other = self.connect()
        other.result(other.client.select("INBOX"))
        other.result(other.client.store(1, add={"\\Deleted"}))
        other.result(other.client.store(2, add={"\\Seen"}))
        other.result(other.client.expunge())
        (gone, changed), _ = self.run_example("changes", selected.uid_validity, selected.modseq)
        self.assertEqual((gone, set(changed)), ([1], {2}))
