"""The examples of docs/reading-mail.md are run, as a reader would."""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from twisted.application.service import IServiceCollection
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from mailproto import message
from mailproto.client import ServerAddress
from mailproto.smtp import send_mail
from tests.processes import CHECKOUT

PAGE = Path(CHECKOUT, "docs/reading-mail.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.M | re.S)


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


class ReadingMailTests(TestCase):
    def test_no_block_is_forgotten(self) -> None:
        self.assertEqual({language for language, _ in BLOCKS}, {"python", "pycon"})

    def test_sessions(self) -> None:
        """The sessions of the page are one session."""
        session = doctest.DocTestParser().get_doctest(
            "\n".join(blocks("pycon")), {}, "page", "reading-mail.md", 0
        )
        self.assertGreater(len(session.examples), 20)
        failures = io.StringIO()
        doctest.DocTestRunner().run(session, out=failures.write)
        self.assertFalse(failures.getvalue(), failures.getvalue())

    async def test_inbox(self) -> None:
        """The program prints a message that comes in, and saves its attachments."""
        [program] = blocks("python")
        self.assertIn('"tcp:8025:', program)
        names: dict[str, Any] = {}
        exec(program.replace('"tcp:8025:', '"tcp:0:'), names)  # a port that no other test has
        [server] = IServiceCollection(names["application"])
        os.mkdir(folder := self.mktemp())
        before = os.getcwd()
        os.chdir(folder)
        self.addCleanup(os.chdir, before)
        sent = EmailMessage()
        sent["From"], sent["To"] = "Bob <bob@example.org>", "alice@example.org"
        sent["Subject"] = "Grüße"
        sent.set_content("See the file.\n")
        sent.add_attachment(b"%PDF", "application", "pdf", filename="../a.pdf")
        await server.start()
        try:
            port = server.port
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                await send_mail(reactor, ServerAddress("127.0.0.1", port, tls="none"), sent)
        finally:
            await server.stop()
        self.assertEqual(
            printed.getvalue(),
            "'Grüße' from Bob <bob@example.org>\nSee the file.\n\n'a.pdf' (application/pdf)\n",
        )
        [name] = os.listdir()
        self.assertRegex(name, r"^[0-9a-f]+-1$")
        self.assertEqual(Path(name).read_bytes(), b"%PDF")

    def test_limits(self) -> None:
        """The page has the numbers of the limits."""
        for name, shown in (
            ("HEADER_LIMIT", "256 KB of header"),
            ("FIELD_LIMIT", "32 KB of each\nfield"),
            ("ADDRESSES_LIMIT", "2,000 addresses"),
            ("PARTS_LIMIT", "10,000 parts"),
            ("NESTING_LIMIT", "100 levels\nof parts"),
            ("TEXT_LIMIT", "16 MB of encoded text"),
        ):
            self.assertIn(f"{shown} (`{name}`)", PAGE)
            [number] = re.findall(r"[0-9,]+", shown)
            unit = {"M": 1 << 20, "K": 1 << 10}.get(shown.split()[1][0], 1)
            self.assertEqual(getattr(message, name), int(number.replace(",", "")) * unit)
