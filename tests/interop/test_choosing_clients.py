"""Clients of Cyrus SASL choose the mechanism themselves."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.server import (
    ACCOUNTS,
    HOST,
    PASSWORD,
    Server,
    need,
    new_folder,
    run,
    shared,
)

ALICE = ACCOUNTS[0]
CYRUS = "/usr/lib/cyrus/bin"
LOGOUT = {"imap": b". LOGOUT\r\n", "pop3": b"QUIT\r\n", "smtp": b"QUIT\r\n"}
LISTENERS = {"imap": "imap", "pop3": "pop3", "smtp": "submission"}
TLS = {"plaintext": (), "starttls": ("-t", ""), "implicit": ("-s",)}


def cyrus(
    server: Server, protocol: str, how: str, *options: str, name: str = ALICE, password: str = PASSWORD
) -> str:
    """The dialogue of ``imtest``, ``pop3test`` or ``smtptest``."""
    program = f"{CYRUS}/{protocol}test".replace("imaptest", "imtest")
    need(program, "cyrus-clients")
    port = server.ports[LISTENERS[protocol] + ("s" if how == "implicit" else "")]
    login = ("-a", name, "-w", password, "-p", str(port))
    arguments = (*TLS[how], *login, *options, HOST)
    return run(program, *arguments, given=LOGOUT[protocol], status=None).decode(errors="replace")


class CyrusTests(SynchronousTestCase):
    """imtest, pop3test and smtptest with their defaults: the best that both know, an authzid."""

    def test_sign_in(self) -> None:
        for protocol in LISTENERS:
            for how in TLS:
                with self.subTest(protocol=protocol, how=how):
                    said = cyrus(shared(), protocol, how, "-u", ALICE)
                    self.assertIn("Authenticated.", said)
                    self.assertRegex(said, "(AUTHENTICATE|AUTH) SCRAM-SHA-256 ")

    def test_each_mechanism(self) -> None:
        """LOGIN and USER are commands of the protocols here."""
        for protocol, *others in (("imap", "LOGIN"), ("pop3", "USER"), ("smtp",)):
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", *others):
                with self.subTest(protocol=protocol, mechanism=mechanism):
                    said = cyrus(shared(), protocol, "starttls", "-m", mechanism, "-u", ALICE.upper())
                    self.assertIn("Authenticated.", said)

    def test_wrong_password_and_somebody_elses_name(self) -> None:
        for protocol in LISTENERS:
            said = cyrus(shared(), protocol, "starttls", "-u", ALICE, password="wrong")
            self.assertIn("Authentication failed.", said)
            said = cyrus(shared(), protocol, "starttls", "-u", ACCOUNTS[1])
            self.assertIn("Authentication failed.", said)

    def test_every_spelling(self) -> None:
        """Of the name, the authzid and the password; for SCRAM it is the client that prepares the
        last, and Cyrus SASL does not."""
        server = shared()
        composed, decomposed = (
            [unicodedata.normalize(form, text) for text in ("zoë@bücher.example", "pässword é")]
            for form in ("NFC", "NFD")
        )
        command = (Path(sys.executable).parent / "mailproto", "user", "add", "--data", server.folder)
        run(*command, decomposed[0], "--password-stdin", given=f"{decomposed[1]}\n".encode())
        others = ("ZOE\u0308@XN--BCHER-KVA.example", composed[1])
        for name, password in (composed, decomposed, others):
            for mechanism in ("SCRAM-SHA-256", "PLAIN", "LOGIN"):
                typed = composed[1] if mechanism == "SCRAM-SHA-256" else password
                with self.subTest(name=ascii(name), mechanism=mechanism):
                    options = ("-m", mechanism, "-u", composed[0])
                    said = cyrus(server, "imap", "starttls", *options, name=name, password=typed)
                    self.assertIn("Authenticated.", said)


class ChosenTests(SynchronousTestCase):
    def test_only_what_was_chosen_is_offered(self) -> None:
        server = Server(new_folder(), ACCOUNTS[:1], ["--auth", "SCRAM-SHA-1", "--auth", "login"])
        self.addCleanup(server.kill)
        for protocol in LISTENERS:
            said = cyrus(server, protocol, "starttls", "-u", ALICE)
            self.assertRegex(said, "(AUTHENTICATE|AUTH) SCRAM-SHA-1 ")
            self.assertIn("Authenticated.", said)
            self.assertNotIn("PLAIN", said)
