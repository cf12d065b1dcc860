"""The examples of docs/extending.md."""

from __future__ import annotations

import re

from twisted.trial.unittest import TestCase

from mailproto.imap import server as imap
from mailproto.imap.wire import ArgumentReader
from mailproto.pop3 import server as pop3
from mailproto.smtp import server as smtp
from mailproto.smtp.lmtp import LMTPServer
from tests.docs.pages import FOLDER, Page

TEXT = (FOLDER / "extending.md").read_text()


class ExtendingTests(TestCase):
    async def test_examples(self) -> None:
        page = Page("extending.md")
        await page.run()
        self.assertEqual(page.dialogues, 5)

    def test_names(self) -> None:
        """What the page says that there is, is there."""
        reader = next(line for line in TEXT.split("\n\n") if line.startswith("The methods are `atom`"))
        methods = re.findall(r"`(\w+)`", reader.partition("`session")[0])
        readers = [name for name, value in vars(ArgumentReader).items() if callable(value) and name[0] != "_"]
        self.assertEqual(sorted(methods), sorted([*readers, "at_end", "end"]))
        sessions = (smtp.SMTPCommandSession, pop3.POP3CommandSession, imap.IMAPCommandSession)
        shown = set(re.findall(r"`session\.(\w+)", TEXT)) | set(re.findall(r"`\.(\w+)`", TEXT))
        for name in shown:
            self.assertTrue(any(hasattr(kind, name) for kind in sessions) or name == "server", name)
        for name in re.findall(r"^\| `(\w+)\(", TEXT, re.M):
            for server in (smtp.SMTPServer, LMTPServer, pop3.POP3Server, imap.IMAPServer):
                self.assertTrue(hasattr(server, name), name)
