"""The gateway of ``docs/webhook.md`` does what the page says."""

from __future__ import annotations

import json
import re
import smtplib
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.docs.pages import FOLDER, run_pytest
from tests.processes import CHECKOUT, Program, ProgramCase, port_of

EXAMPLE = CHECKOUT / "examples" / "webhook.tac"
PAGE = (FOLDER / "webhook.md").read_text()
ALICE = "alice@example.org"
TEXT = "Subject: =?utf-8?q?gr=C3=BCn?=\r\nFrom: Bob <bob@example.com>\r\n\r\nIt works.\r\n"


class WebApplication(ThreadingHTTPServer):
    """Answers with the ``statuses`` one after the other; 0 for no answer until it is closed."""

    daemon_threads = True

    def __init__(self) -> None:
        self.statuses: deque[int] = deque()
        self.requests: list[tuple[str, dict[str, object]]] = []
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: WebApplication
    protocol_version = "HTTP/1.1"  # 1.0 closes each connection, perhaps just when it is used again

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.headers["Idempotency-Key"], json.loads(body)))
        status = self.server.statuses.popleft()
        if not status:
            self.server.closing.wait()
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


class WebhookTests(ProgramCase):
    def setUp(self) -> None:
        super().setUp()
        self.web = WebApplication()
        self.addCleanup(self.web.close)

    def gateway(self, text: str) -> Program:
        tac = Path(self.folder, "webhook.tac")
        tac.write_text(text)
        return self.start(
            "--no_save",
            "--python",
            str(tac),
            WEBHOOK_URL=f"http://127.0.0.1:{self.web.server_port}/mail",
            MAILPROTO_SMTP="tcp:0:interface=127.0.0.1",
        )

    def client(self, program: Program) -> smtplib.SMTP:
        client = smtplib.SMTP("127.0.0.1", port_of(program, "smtp"), timeout=60)
        self.addCleanup(client.close)
        return client

    def send(self, client: smtplib.SMTP, text: str = TEXT, recipient: str = ALICE) -> int:
        """:returns: the code of the reply."""
        try:
            client.sendmail("bob@example.com", [recipient], text.encode())
        except smtplib.SMTPDataError as error:
            return error.smtp_code
        except smtplib.SMTPRecipientsRefused as error:
            [(code, _)] = error.recipients.values()
            return code
        return 250

    def test_each_answer(self) -> None:
        """The client gets what the table says."""
        client = self.client(program := self.gateway(EXAMPLE.read_text()))
        for answers, code in (((200, 204), 250), ((408, 425, 429, 500, 503), 451), ((400, 301, 404), 554)):
            for answer in answers:
                self.web.statuses.append(answer)
                self.assertEqual(self.send(client), code, answer)
                if code == 451:
                    program.wait_for(rf"deferred .*the webhook answered {answer}")
        self.assertEqual(len(self.web.requests), 10)
        self.assertEqual(self.send(client, recipient="eve@example.com"), 550)
        self.assertEqual(len(self.web.requests), 10)

    def test_the_request(self) -> None:
        self.web.statuses.append(200)
        program = self.gateway(EXAMPLE.read_text())
        self.send(self.client(program))
        [(_, mail)] = self.web.requests
        taken = program.wait_for(r"taken id=(\w+)")
        self.assertEqual(
            mail,
            {
                "id": taken[1],
                "sender": "bob@example.com",
                "recipients": [ALICE],
                "from": ["bob@example.com"],
                "subject": "grün",
                "text": "It works.\n",
                "html": "",
                "attachments": [],
            },
        )

    def test_the_same_message_has_the_same_key(self) -> None:
        """Also a large one, and over another connection; another message has another."""
        program = self.gateway(EXAMPLE.read_text())
        large = TEXT + "x" * 70 + "\r\n"
        texts = [TEXT, TEXT, large * 5000, large * 5000, TEXT + "More\r\n", "X: y\r\n" + TEXT]
        self.web.statuses.extend([200] * 7)
        for text in texts:
            self.assertEqual(self.send(self.client(program), text), 250)
        self.send(self.client(program), recipient="carol@example.org")
        keys = [key for key, _ in self.web.requests]
        self.assertEqual(keys[0], keys[1])
        self.assertEqual(keys[2], keys[3])
        self.assertEqual(len(set(keys)), 5)
        self.assertEqual(len({str(mail["id"]) for _, mail in self.web.requests}), 7)

    def test_nobody_answers(self) -> None:
        self.web.statuses.append(0)
        short = EXAMPLE.read_text().replace("delivery=30", "delivery=0.3")
        program = self.gateway(short)
        self.assertEqual(self.send(self.client(program)), 451)
        program.wait_for(r"Webhook\.deliver was not done after 0\.3 seconds")

    def test_nobody_is_there(self) -> None:
        program = self.gateway(EXAMPLE.read_text())
        self.web.server_close()
        self.assertEqual(self.send(self.client(program)), 451)
        program.wait_for("no answer from the webhook: ConnectionRefusedError")

    def test_the_page(self) -> None:
        shown, tests = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
        self.assertEqual(shown, EXAMPLE.read_text())
        self.assertIn("SMTPLimits(delivery=30)", shown)
        self.assertIn("2 passed", run_pytest(Path(self.folder), tests, EXAMPLE))
