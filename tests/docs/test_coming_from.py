"""The programs of the pages for those who come from elsewhere, and the names in their tables."""

from __future__ import annotations

import re
import smtplib
from importlib import import_module
from pathlib import Path

from tests.docs.pages import FOLDER
from tests.processes import ProgramCase, port_of

AIOSMTPD = (FOLDER / "coming-from-aiosmtpd.md").read_text()
TWISTED_MAIL = (FOLDER / "coming-from-twisted-mail.md").read_text()
HERE = (
    "mailproto.aio auth backends client client.errors connection.proxy delivery errors imap interfaces"
    " listening message model pop3 pop3.limits relay relay.servers smtp smtp.limits smtp.lmtp smtp.server"
    " testing tls"
).replace(" ", " mailproto.")
THERE = {"SMTP": "smtp", "POP3": "pop3", "IMAP": "imap4"}


def rows(text: str) -> list[list[str]]:
    """The cells of the tables, without their heads."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", text, re.M)
    ]
    return [row for row in cells if not row[0].startswith(("---", "aiosmtpd", "twisted.mail"))]


def classes(text: str) -> set[str]:
    """The names of classes in code."""
    code = " ".join(re.findall(r"`([^`]*)`", text))
    return set(re.findall(r"(?<![\w.\"/])[A-Z]+[a-z]\w+", code))


class ProgramTests(ProgramCase):
    def test_both_refuse_other_domains(self) -> None:
        for page, printed in (
            (AIOSMTPD, r"bob@example\.com \['alice@example\.org'\] \d+\n"),
            (TWISTED_MAIL, r"\d+ lines\n"),
        ):
            (text,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
            Path(self.folder, "app.tac").write_text(re.sub(r"tcp:\d+:", "tcp:0:", text))
            program = self.start("--no_save", "--python", "app.tac")
            with smtplib.SMTP("127.0.0.1", port_of(program, "smtp")) as client:
                refused = client.sendmail(
                    "bob@example.com", ["alice@example.org", "eve@example.com"], "Subject: x\r\n\r\nx\r\n"
                )
            self.assertEqual([code for code, _ in refused.values()], [550])
            program.wait_for(printed)


class TableTests(ProgramCase):
    def test_what_is_here_is_here(self) -> None:
        modules = [import_module(name) for name in HERE.split()]
        own = {"MyDeliverySession", "None", "True", "False", "Deferred"}
        for page in (AIOSMTPD, TWISTED_MAIL):
            found = {name for row in rows(page) for name in classes(row[1])} - own
            self.assertGreater(len(found), 15)
            for name in sorted(found):
                self.assertTrue(any(hasattr(module, name) for module in modules), name)

    def test_what_is_there_is_there(self) -> None:
        for title, module in THERE.items():
            section = TWISTED_MAIL.partition(f"## {title}\n")[2].partition("\n## ")[0]
            there = import_module(f"twisted.mail.{module}")
            found = {name for row in rows(section) for name in classes(row[0])}
            self.assertGreater(len(found), 2)
            for name in sorted(found):
                self.assertTrue(hasattr(there, name), f"{title}: {name}")
