"""The filter of ``docs/filter.md`` does what the page says."""

from __future__ import annotations

import re
import smtplib
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from mailproto.content import Content
from mailproto.testing import make_envelope
from tests.docs.pages import FOLDER, run_pytest
from tests.docs.scripted_peer import ScriptedPeer
from tests.processes import CHECKOUT, Program, ProgramCase, port_of

EXAMPLE = CHECKOUT / "examples" / "smtp_filter.tac"
BLOCKS = re.findall(r"^( *)```python\n(.*?)^ *```$", (FOLDER / "filter.md").read_text(), re.M | re.S)
SENDER, ALICE, EVE = "bob@client.test", "alice@peer.test", "eve@peer.test"


def message(subject: str, file: str = "") -> str:
    made = EmailMessage()
    made["Subject"] = subject
    made.set_content("It works.\n")
    if file:
        made.add_attachment(b"MZ", "application", "octet-stream", filename=file)
    return made.as_string().replace("\n", "\r\n")


def with_line(line: str) -> str:
    """The program with one more line in ``filtered``."""
    before = "    message = Message(content)\n"
    text = EXAMPLE.read_text()
    assert before in text
    return text.replace(before, f"{before}    {line}\n")


class FilterTests(ProgramCase):
    def filter(self, text: str, replies: dict[str, str] | None = None) -> tuple[ScriptedPeer, smtplib.SMTP]:
        """The next hop, and a client of the filter in front of it."""
        peer = ScriptedPeer(replies)
        self.addCleanup(peer.close)
        tac = Path(self.folder, "smtp_filter.tac")
        tac.write_text(text)
        self.program: Program = self.start(
            "--no_save",
            "--python",
            str(tac),
            MAILPROTO_NEXT_HOP=f"127.0.0.1:{peer.port}",
            MAILPROTO_SMTP="tcp:0:interface=127.0.0.1",
        )
        client = smtplib.SMTP("127.0.0.1", port_of(self.program, "smtp"), timeout=60)
        self.addCleanup(client.close)
        return peer, client

    def test_it_passes_on_changes_and_refuses(self) -> None:
        """One client, over one connection to the next hop; what the next hop refuses is refused."""
        peer, client = self.filter(EXAMPLE.read_text(), {f"RCPT TO:<{EVE}>": "550 5.1.1 No such user"})
        plain, lottery = message("Hello", "a.pdf"), message("The Lottery")
        self.assertEqual(client.sendmail(SENDER, [ALICE, EVE], plain), {EVE: (550, b"5.1.1 No such user")})
        with self.assertRaises(smtplib.SMTPDataError) as refused:
            client.sendmail(SENDER, [ALICE], message("Hello", "A.EXE"))
        self.assertEqual(refused.exception.args, (554, b"5.7.1 No programs, please"))
        self.program.wait_for(r"refused .*detail=A\.EXE")
        client.sendmail(SENDER, [ALICE], lottery)
        client.quit()
        peer.wait_until_heard("QUIT", "(end)")
        first, second = peer.contents
        self.assertTrue(first.startswith(b"Received: "))
        self.assertTrue(first.endswith(b"\r\n" + plain.encode()))
        self.assertTrue(second.startswith(b"X-Spam: yes\r\nReceived: "))
        self.assertTrue(second.endswith(b"\r\n" + lottery.encode()))
        self.assertEqual([peer.heard.count(line) for line in ("RSET", "(end)")], [1, 1])
        self.assertNotIn("SIZE=", "".join(peer.heard))

    def test_a_filter_that_fails(self) -> None:
        """The message is not passed on unread; the same client goes on."""
        peer, client = self.filter(with_line("1 / len(message.subject)"))
        with self.assertRaises(smtplib.SMTPDataError) as refused:
            client.sendmail(SENDER, [ALICE], message(""))
        self.assertEqual(refused.exception.smtp_code, 451)
        self.program.wait_for("ZeroDivisionError")
        client.sendmail(SENDER, [ALICE], message("Hello"))
        self.assertEqual(len(peer.contents), 1)

    def test_a_filter_that_takes_too_long(self) -> None:
        """The transaction of the next hop is given up, so the same client goes on."""
        text = with_line("__import__('time').sleep(0.6 * (message.subject == 'slow'))").replace(
            "SMTPServerFactory(delivery)", "SMTPServerFactory(delivery, limits=SMTPLimits(delivery=0.4))"
        )
        peer, client = self.filter("from mailproto.smtp.limits import SMTPLimits\n" + text)
        with self.assertRaises(smtplib.SMTPDataError) as refused:
            client.sendmail(SENDER, [ALICE], message("slow"))
        self.assertEqual(refused.exception.smtp_code, 451)
        self.program.wait_for(r"SMTPDeliverySession\.deliver was not done after 0\.4 seconds")
        client.sendmail(SENDER, [ALICE], message("Hello"))
        self.assertEqual(len(peer.contents), 1)

    def test_its_own_tests(self) -> None:
        self.assertIn("2 passed", run_pytest(Path(self.folder), BLOCKS[3][1], EXAMPLE))

    def test_a_changed_subject(self) -> None:
        names: dict[str, Any] = {}
        indent, text = BLOCKS[2]
        exec(re.sub(rf"^{indent}", "", text, flags=re.M), names)
        for subject in ("Hello", "=?utf-8?q?gr=C3=BCn?=", ""):
            changed = names["tagged"](Content(f"Subject: {subject}\r\nTo: a@b\r\n\r\nx\r\n".encode()))
            self.assertTrue(str(Content(changed).message()["Subject"]).startswith("[external] "))
            self.assertNotRegex(changed, rb"(?<!\r)\n")

    def test_the_page(self) -> None:
        self.assertEqual(len(BLOCKS), 4)
        self.assertEqual(BLOCKS[0][1], EXAMPLE.read_text())
        lines = [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")]
        self.assertLessEqual(len(lines), 20)

    def test_a_method(self) -> None:
        names: dict[str, Any] = {}
        exec(BLOCKS[1][1], names)
        filtering = names["Filter"]("mx.example").filter(make_envelope(SENDER, [ALICE]), Content(b"\r\n"))
        with self.assertRaises(StopIteration) as ended:
            filtering.send(None)
        self.assertEqual(bytes(ended.exception.value), b"X-Client: client.example\r\n\r\n")
