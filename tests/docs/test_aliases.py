"""The file, the numbers and the program of ``docs/aliases.md``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from twisted.trial.unittest import TestCase

from mailproto.awaiting import settle
from mailproto.model import Address, QueueFilter
from mailproto.relay._srs import MAX_AGE
from mailproto.relay.aliases import AliasFile, AliasLimits
from tests.docs.pages import FOLDER, Page

PAGE = "aliases.md"
TEXT = (FOLDER / PAGE).read_text()


class AliasesTests(TestCase):
    timeout = 20  # seconds

    def test_the_file(self) -> None:
        match = re.search(r"^```\n(.*?)^```$", TEXT, re.M | re.S)
        assert match is not None
        file = Path(self.mktemp())
        file.write_text(match[1])
        file.chmod(0o644)
        aliases = AliasFile(file, ["example.org"])
        self.assertEqual(len(aliases), 5)
        found = aliases.addresses_for(Address("info", "example.org"), False)
        self.assertEqual([*map(str, found or ())][2], "carol@elsewhere.example")

    def test_the_limits(self) -> None:
        limits = AliasLimits()
        for words, number in (
            ("from an alias to the last one behind it | {:,} steps", limits.depth),
            ("addresses of one recipient | {:,} |", limits.addresses),
            ("addresses of all recipients of a message | {:,} |", limits.per_message),
            ("entries of the file | {:,} |", limits.entries),
            ("octets of the file | {:,} |", limits.file),
            ("octets of an entry | {:,} |", limits.entry),
            ("for {:,} days", MAX_AGE),
        ):
            self.assertIn(words.format(number), TEXT)

    async def test_the_program(self) -> None:
        page = Page(PAGE)
        await page.run()
        self.assertEqual(page.dialogues, 1)
        store: Any = page.names["store"]
        mailbox = await settle((await settle(store.account("alice@example.org"))).open("INBOX"))
        self.assertEqual((await settle(mailbox.status())).messages, 1)
        [message] = await settle(store.queue.find(QueueFilter()))
        [recipient] = message.recipients
        self.assertEqual(str(recipient.recipient.address), "carol@elsewhere.example")
        self.assertRegex(str(message.envelope.sender), r"\ASRS0=.{4}=..=remote\.example=x@example\.org\Z")
