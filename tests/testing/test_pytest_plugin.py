"""The pytest plugin: it is found, gives its fixtures, and costs nothing when it is not used."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

try:
    import pytest  # noqa: F401
except ImportError:
    _SKIP = "needs pytest: pip install 'mailproto[test]'"
else:
    _SKIP = ""

INBOX = """
import smtplib

def test_a_welcome_mail(mailproto_inbox):
    with smtplib.SMTP(*mailproto_inbox.address, timeout=10) as client:
        client.sendmail("a@x.example", ["b@y.example"], "Subject: Welcome\\n\\nHello")
    [received] = mailproto_inbox.messages
    assert received.message["Subject"] == "Welcome"
    assert received.recipients == ["b@y.example"]
    assert mailproto_inbox.wait_for_message() is received

def test_the_next_one_is_empty(mailproto_inbox):
    assert mailproto_inbox.messages == []
    assert mailproto_inbox.host == "127.0.0.1" and mailproto_inbox.port
"""

SERVER = """
import imaplib, smtplib
import pytest
from mailproto.auth import hash_password, store_portal
from mailproto.backends import SimpleMailbox, SingleStore
from mailproto.errors import Refused
from mailproto.imap import IMAPServerFactory
from mailproto.smtp import SMTPServerFactory
from mailproto.testing import RecordingDelivery

addresses = []

def test_two_servers(mailproto_server):
    inbox = SimpleMailbox()
    inbox.add(b"Subject: x\\n\\n")
    store = SingleStore("alice", hash_password("secret"), inbox)
    server = mailproto_server(
        lambda reactor: IMAPServerFactory(store_portal(store, reactor)),
        SMTPServerFactory(RecordingDelivery()),
    )
    with imaplib.IMAP4(*server.addresses[0], timeout=10) as client:
        client.login("alice", "secret")
        assert client.select() == ("OK", [b"1"])
    addresses.extend(server.addresses)

def test_they_are_gone():
    import socket
    for address in addresses:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, 5)

def test_refused(mailproto_inbox):
    mailproto_inbox.refuse["b@y.example"] = Refused(550, "5.7.1", "No, thanks")
    with smtplib.SMTP(*mailproto_inbox.address) as client, pytest.raises(smtplib.SMTPRecipientsRefused):
        client.sendmail("a@x.example", ["b@y.example"], "x")
"""

TRIAL = """
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

class Tests(TestCase):
    async def test_the_reactor_is_still_trials(self):
        await deferLater(reactor, 0)
"""

LIGHT = """
import sys

def test_nothing_was_loaded():
    assert not {"twisted", "zope.interface", "OpenSSL"} & set(sys.modules)
"""


class PytestPluginTests(SynchronousTestCase):
    skip = _SKIP or None

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def run_pytest(self, *arguments: str, **files: str) -> str:
        for name, text in files.items():
            (self.folder / f"{name}.py").write_text(text)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, *sorted(files)]
        command[-len(files) :] = [f"{name}.py" for name in sorted(files)]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_an_inbox(self) -> None:
        self.assertIn("2 passed", self.run_pytest(test_inbox=INBOX))

    def test_servers(self) -> None:
        self.assertIn("3 passed", self.run_pytest(test_server=SERVER))

    def test_together_with_tests_of_trial(self) -> None:
        """pytest runs trial's tests as well: those need the installed reactor in the main thread."""
        shown = self.run_pytest(
            test_a_inbox=INBOX, test_b_trial=TRIAL, test_c_server=SERVER, test_d_trial=TRIAL
        )
        self.assertIn("7 passed", shown)

    def test_nothing_is_loaded_before_it_is_used(self) -> None:
        self.assertIn("1 passed", self.run_pytest(test_light=LIGHT))

    def test_it_can_be_left_out(self) -> None:
        self.assertIn("1 passed", self.run_pytest("-p", "no:mailproto", "-p", "no:twisted", test_light=LIGHT))
        self.assertIn("1 passed", self.run_pytest("-p", "no:twisted", test_light=LIGHT))

    def test_the_fixtures_are_described(self) -> None:
        shown = self.run_pytest("--fixtures", test_light=LIGHT)
        self.assertIn("mailproto_server", shown)
        self.assertIn("An SMTP server that takes all mail", shown)
