"""Every command block of the README is run, as a reader would paste it."""

from __future__ import annotations

import fcntl
import imaplib
import os
import poplib
import re
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from twisted.trial.unittest import SkipTest, TestCase

CHECKOUT = Path(__file__).resolve().parent.parent
README = (CHECKOUT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.M | re.S)
SHELL = [text for language, text in BLOCKS if language == "sh"]
PYTHON = [text for language, text in BLOCKS if language == "python"]
TWISTD = str(Path(sys.executable).parent / "twistd")
PATIENCE = 240
"""Seconds for the slowest: an installation into a new virtual environment."""


def need(program: str, package: str) -> None:
    if shutil.which(program) is None:
        raise SkipTest(f"needs {program}: install the Debian package {package}")


@contextmanager
def running(arguments: list[str], folder: str, ready: str) -> Iterator[list[str]]:
    """A process group of its own, from the line that has ``ready`` until SIGTERM; gives its lines."""
    process = subprocess.Popen(
        arguments,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    lines: list[str] = []
    timer = threading.Timer(PATIENCE, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    try:
        for line in process.stdout:
            lines.append(line)
            if ready in line:
                break
        else:
            raise AssertionError("it ended before it was ready:\n" + "".join(lines))
        reader = threading.Thread(target=lines.extend, args=(process.stdout,))
        reader.start()
        try:
            yield lines
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            reader.join()
    finally:
        timer.cancel()
        process.stdout.close()


def shell(block: str, folder: str) -> str:
    """What a block prints; each of its lines must succeed."""
    done = subprocess.run(
        ["bash", "-euc", block], cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    if done.returncode:
        raise AssertionError(f"{block}\nfailed:\n{done.stdout}{done.stderr}")
    return done.stdout


class ReadmeTests(TestCase):
    def setUp(self) -> None:
        # The README has fixed ports, and trial may run these tests in several processes (-j).
        lock = (Path(tempfile.gettempdir()) / f"mailproto-readme-{os.getuid()}.lock").open("w")
        self.addCleanup(lock.close)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def test_no_block_is_forgotten(self) -> None:
        """A block that is added to the README gets a test here."""
        languages = [language for language, _ in BLOCKS]
        self.assertEqual(languages, ["sh", "sh", "sh", *["python"] * 5, "sh"])

    def test_run_send_and_read(self) -> None:
        """The server runs, a message comes in by swaks and out by curl and POP3, an account is added."""
        need("swaks", "swaks")
        need("curl", "curl")
        checkout = os.path.join(self.folder, "checkout")
        unwanted = shutil.ignore_patterns(
            ".git", ".venv", "mailproto-data", "_trial_temp*", "*.egg-info", "build"
        )
        shutil.copytree(CHECKOUT, checkout, ignore=unwanted)
        run, first_message, accounts, _ = SHELL
        with running(["bash", "-c", run], checkout, "mailproto is ready"):
            printed = shell(first_message, checkout)
            self.assertEqual(printed.count("\nIt works."), 2)
            self.assertIn("carol@localhost", shell(accounts, checkout))

    def test_own_delivery(self) -> None:
        """The program starts, hands a message to the function in it, and refuses another."""
        tac = self.write("app.tac", PYTHON[0])
        with (
            running([TWISTD, "-ny", tac], self.folder, "mailproto: smtp on") as lines,
            smtplib.SMTP("127.0.0.1", 8025) as client,
        ):
            client.sendmail(
                "bob@example.org", ["alice@example.org"], "Subject: =?utf-8?q?gr=C3=BCn?=\r\n\r\nx\r\n"
            )
            with self.assertRaisesRegex(smtplib.SMTPDataError, "550.*5.7.1 No lotteries, please"):
                client.sendmail("bob@example.org", ["alice@example.org"], "Subject: Lottery!\r\n\r\nx\r\n")
        self.assertIn("bob@example.org sent 'grün': x", "".join(lines))

    def test_own_message(self) -> None:
        """One call sends a message to the application before."""
        tac, program = self.write("app.tac", PYTHON[0]), self.write("hello.py", PYTHON[1])
        with running([TWISTD, "-ny", tac], self.folder, "mailproto: smtp on") as lines:
            sent = shell(f"{sys.executable} {program}", self.folder)
        self.assertEqual(sent, "sent to alice@example.org\n")
        self.assertIn("bob@example.org sent 'Hello': It works.", "".join(lines))

    def test_what_goes_wrong(self) -> None:
        """The log says what the table has."""
        rows = re.findall(r"^\| `([^`]*)` \| `([^`]*)`", README, re.M)
        self.assertEqual(len(rows), 3)
        program = "import asyncio\n" + PYTHON[0].replace("tcp:8025", "tcp:0")
        for wrong, told in rows:
            with self.subTest(wrong):
                before, after = re.fullmatch(r"(.*    )message = .*?flush=True\)(.*)", program, re.S).groups()
                tac = self.write("wrong.tac", before + wrong + after)
                with running([TWISTD, "--pidfile=", "-ny", tac], self.folder, "mailproto: smtp on") as lines:
                    port = int(re.findall(r"mailproto: smtp on 127\.0\.0\.1:(\d+)", lines[-1])[0])
                    with (
                        smtplib.SMTP("127.0.0.1", port) as client,
                        self.assertRaises(smtplib.SMTPDataError) as no,
                    ):
                        client.sendmail("bob@example.org", ["alice@example.org"], "Subject: x\r\n\r\nx\r\n")
                    self.assertEqual(no.exception.smtp_code, 451)
                self.assertIn(told, "".join(lines))
        (told,) = re.findall(r"`SMTPServerFactory\(deliver\)` says\n`([^`]*)`", README)
        tac = self.write("wrong.tac", PYTHON[0].replace("FunctionDelivery(deliver)", "deliver"))
        self.assertIn(told, shell(f"! {TWISTD} --pidfile= -ny {tac} 2>&1", self.folder))

    def test_own_tests(self) -> None:
        """The tests pass, and fail if something else comes."""
        if find_spec("pytest") is None:
            raise SkipTest("needs pytest: pip install 'mailproto[test]'")
        (command,) = re.findall(r"`\S*python (-m pytest test_app.py)`", README)
        pytest = f"{sys.executable} {command}"
        self.write("test_app.py", PYTHON[4])
        self.assertIn("2 passed", shell(pytest, self.folder))
        changed = PYTHON[4].replace("Subject: Welcome", "Subject: Hello").replace('b"Welcome"', 'b"Goodbye"')
        self.write("test_app.py", changed)
        self.assertIn("2 failed", shell(f"! {pytest}", self.folder))

    def test_own_mailbox(self) -> None:
        """The program starts and shows the tickets over IMAP, also to the program after it, and POP3."""
        tac, program = self.write("tickets.tac", PYTHON[2]), self.write("read.py", PYTHON[3])
        with running([TWISTD, "-ny", tac], self.folder, "mailproto: pop3 on"):
            imap = imaplib.IMAP4("127.0.0.1", 8143)
            imap.login("support@example.org", "secret")
            self.assertEqual(imap.select(readonly=True), ("OK", [b"2"]))
            [(_, octets), _] = imap.fetch("2", "(BODY[])")[1]  # type: ignore[attr-defined]
            self.assertIn(b"Subject: #2: It is still on fire\r\n", octets)
            imap.logout()
            pop3 = poplib.POP3("127.0.0.1", 8110)
            pop3.user("support@example.org")
            pop3.pass_("secret")
            self.assertEqual(pop3.stat()[0], 2)
            pop3.quit()
            read = shell(f"{sys.executable} {program}", self.folder)
        self.assertEqual(read, "1 #1: The printer is on fire\n2 #2: It is still on fire\n")

    def test_the_test_command_is_what_ci_runs(self) -> None:
        """The one block that is not run here, since it is what runs this."""
        shown = subprocess.run(
            ["bash", ".ci/run", "--show-test-command"],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertEqual(shown.stdout, SHELL[-1])

    def write(self, name: str, text: str) -> str:
        path = os.path.join(self.folder, name)
        Path(path).write_text(text)
        return path
