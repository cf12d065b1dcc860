"""``mailproto fetch``: where it gets passwords, what it says, and its exit status."""

from __future__ import annotations

import io
import json
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import Password, Token
from mailproto.client import MailboxURL
from mailproto.client.errors import (
    AuthenticationRefused,
    AuthenticationUnavailable,
    CommandRefused,
    ConnectFailed,
    TLSFailed,
    TLSUnavailable,
)
from mailproto.pop3.wire import Reply
from mailproto.service import _command
from mailproto.service._command_error import CommandError
from mailproto.service._fetch_command import client_problem
from mailproto.service._fetch_target import FetchTarget, state_file
from mailproto.service._password_source import PasswordSource, add_password_options, read_credentials
from mailproto.service._progress import ShownProgress
from tests.interop.terminal import Terminal
from tests.processes import CHECKOUT, COMMAND, ProgramCase, port_of

URL = MailboxURL.parse("imap://bob@mail.example")


class PasswordTests(SynchronousTestCase):
    def read(self, *arguments: str) -> Any:
        parser = ArgumentParser()
        add_password_options(parser)
        return read_credentials(parser.parse_args(arguments), "bob", "mail.example")

    def fault(self, *arguments: str) -> str:
        with self.assertRaises(CommandError) as caught:
            self.read(*arguments)
        self.assertEqual(caught.exception.status, os.EX_CONFIG)
        return str(caught.exception)

    def file(self, text: str, mode: int = 0o600) -> str:
        path = Path(self.mktemp())
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def test_of_a_file(self) -> None:
        self.assertEqual(self.read("--password-file", self.file("pä ss\r\nmore\n")), Password("bob", "pä ss"))
        self.assertEqual(self.read("--password-file", self.file("x"), "--token"), Token("bob", "x"))

    def test_of_the_environment(self) -> None:
        with patch.dict(os.environ, {"SOME_NAME": "secret"}):
            self.assertEqual(self.read("--password-env", "SOME_NAME"), Password("bob", "secret"))

    def test_of_a_command(self) -> None:
        self.assertEqual(self.read("--password-command", "echo a b | cat"), Password("bob", "a b"))

    def test_of_a_master_user(self) -> None:
        found = self.read("--password-command", "echo $MAILPROTO_USER $MAILPROTO_HOST", "--master", "root")
        self.assertEqual(found, Password("root", "bob mail.example", "bob"))
        with patch("sys.stderr", io.StringIO()), self.assertRaises(SystemExit):
            self.read("--master", "root", "--token")

    def test_of_many_accounts(self) -> None:
        """A command is run for each; a file is read once, before the process may become another user."""
        parser = ArgumentParser()
        add_password_options(parser, "target-")
        command = ("--target-password-command", "echo $MAILPROTO_USER | tr a-z A-Z", "--target-token")
        source = PasswordSource(parser.parse_args(command), "target-")
        source.read_now()
        self.assertEqual([source.read(name, "h") for name in ("a", "b")], [Token("a", "A"), Token("b", "B")])
        file = self.file("secret")
        source = PasswordSource(parser.parse_args(["--target-password-file", file]), "target-")
        source.read_now()
        os.unlink(file)
        self.assertEqual(source.read("a", "h"), Password("a", "secret"))
        self.assertFalse(PasswordSource(parser.parse_args([]), "target-").is_given)
        source = PasswordSource(parser.parse_args(["--target-password-env", "NONE"]), "target-")
        self.assertRaisesRegex(CommandError, "--target-password-env: there is no", source.read_now)

    def test_faults(self) -> None:
        self.assertIn("its mode is 0644", self.fault("--password-file", self.file("secret", 0o644)))
        self.assertIn("No such file", self.fault("--password-file", "/none"))
        self.assertIn("it is empty", self.fault("--password-file", self.file("\nsecret")))
        self.assertIn("no variable NONE", self.fault("--password-env", "NONE"))
        self.assertIn("failed with status 3", self.fault("--password-command", "exit 3"))
        self.assertIn("not UTF-8", self.fault("--password-command", r"printf '\377'"))
        self.assertIn("it is empty", self.fault("--password-command", "true"))


class TargetTests(SynchronousTestCase):
    def test_each_has_a_state_of_its_own(self) -> None:
        def place(url: str, target: str) -> Path:
            parsed = FetchTarget.parse(target)
            options = Namespace(state=None, data=Path("/data"), target=parsed)
            return state_file(options, MailboxURL.parse(url), target)

        with patch.dict(os.environ, {"XDG_STATE_HOME": "/home/bob/state"}):
            targets = ("account:a@x", "account:b@x", "maildir:/a", "mbox:/a")
            places = {place(url, target) for url in ("imap://b@h", "pop3://b@h") for target in targets}
            self.assertEqual(len(places), 8)
            folders = {str(each.parent) for each in places}
            self.assertEqual(folders, {"/data/fetching", "/home/bob/state/mailproto/fetching"})
        with patch.dict(os.environ, {"XDG_STATE_HOME": "", "HOME": "/home/bob"}):
            self.assertIn("/home/bob/.local/state/mailproto", str(place("imap://b@h", "mbox:/a")))

    def test_what_is_none(self) -> None:
        for text in ("", "mbox", "mbox:", "mh:/a", "/a", "account"):
            self.assertRaisesRegex(ArgumentTypeError, "must be account:NAME@DOMAIN", FetchTarget.parse, text)


class ProblemTests(SynchronousTestCase):
    def test_a_port_without_tls(self) -> None:
        problem = client_problem(TLSFailed("no TLS is spoken there"), MailboxURL.parse("pop3s://a@b"))
        self.assertTrue(str(problem).endswith("there: try another port, or pop3:// for STARTTLS"), problem)

    def test_a_status_and_what_to_do(self) -> None:
        no = Reply("-ERR", "no")
        for error, status, text in (
            (
                AuthenticationRefused(reply=no),
                os.EX_NOPERM,
                "bob@mail.example: -ERR no: check the user",
            ),
            (AuthenticationUnavailable(), os.EX_NOPERM, "--token"),
            (TLSUnavailable(), os.EX_UNAVAILABLE, "try imaps://, or --plain"),
            (TLSFailed("The certificate is not good"), os.EX_UNAVAILABLE, "--ca-file"),
            (ConnectFailed("Cannot connect to mail.example:143: no"), os.EX_TEMPFAIL, "Cannot connect to"),
            (CommandRefused(reply=no), os.EX_UNAVAILABLE, "imap://bob@mail.example: -ERR no"),
        ):
            problem = client_problem(error, URL)
            self.assertEqual(problem.status, status, error)
            self.assertIn(text, str(problem))
            self.assertEqual(len(str(problem).splitlines()), 1)


class ProgressTests(SynchronousTestCase):
    def test_lines_from_time_to_time(self) -> None:
        printed: list[str] = []
        self.patch(sys, "stderr", Namespace(write=printed.append, flush=lambda: None, isatty=lambda: False))
        with ShownProgress("messages") as shown, patch("time.monotonic", lambda: 1e9):
            shown.show(1, 3, 1000, 3000)
            shown.show(2, 3)
        self.assertEqual("".join(printed), "1 of 3 messages, 1.0 KB of 3.0 KB\n")


class CommandTests(ProgramCase):
    timeout = 120

    def test_from_one_account_into_another_and_the_rest(self) -> None:
        server = self.start(
            "mailproto", "--pop3", "tcp:0:interface=127.0.0.1", "--imap", "tcp:0:interface=127.0.0.1",
            "--account", "alice@localhost:secret", "--account", "bob@localhost:secret",
        )  # fmt: skip
        server.wait_for("mailproto is ready")
        sent = self.command("send", "alice@localhost", given="Subject: 1\n\nHi.\n")
        self.assertEqual(sent.returncode, 0, sent.stderr)

        def url_of(protocol: str) -> str:
            return f"{protocol}://alice@localhost@localhost:{port_of(server, protocol)}"

        def fetch(protocol: str, *arguments: str) -> str:
            password = ("--password-command", "echo secret")
            ran = self.command("fetch", url_of(protocol), *arguments, *password)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            return str(ran.stdout)

        taken = fetch("imap", "account:bob@localhost")
        self.assertRegex(taken, r"^1 new message of 1 fetched \(\d+ octets\)\n$")
        arguments = [url_of("imap"), f"mbox:{self.folder}/b", "--state", f"{self.folder}/s2"]
        shown = Terminal([*COMMAND, "fetch", *arguments], {"PYTHONPATH": str(CHECKOUT)})
        self.addCleanup(shown.kill)
        shown.wait_for("Password for alice@localhost at localhost: ")
        shown.type("secret\n")
        shown.wait_for(r"━ *1/1 messages \d+ octets of \d+ octets")
        shown.wait_for("1 new message of 1 fetched")
        self.assertEqual(shown.end(), 0)
        said = json.loads(fetch("pop3", "maildir:mail", "--state", "state", "--json"))
        self.assertEqual((said["listed"], said["kept"], said["removed"]), (1, 1, 1))
        self.assertEqual(len(list(Path(self.folder, "mail/new").iterdir())), 1)

    def test_usage(self) -> None:
        for arguments, text in (
            (("imap://a:b@c", "mbox:x"), "argument URL: the URL must have no password"),
            (("imap://a@c", "x"), "argument TARGET: must be"),
            (("imap://a@c", "mbox:x", "--password-env", "A", "--password-file", "b"), "not allowed with"),
        ):
            printed = io.StringIO()
            with patch("sys.stderr", printed):
                self.assertRaises(SystemExit, _command._parser().parse_args, ["fetch", *arguments])
            self.assertIn(text, printed.getvalue())
        options = _command._parser().parse_args(["fetch", "imaps://a@c", "mbox:x", "--plain"])
        self.assertRaisesRegex(CommandError, "imaps is TLS: write imap://", options.first, options)

    async def test_faults(self) -> None:
        for url, target, status, text in (
            ("pop3://a@127.0.0.1:1", "mbox:x", os.EX_TEMPFAIL, "Cannot connect to 127.0.0.1:1: Connection"),
            ("pop3://a@127.0.0.1:1", "mbox:y", os.EX_TEMPFAIL, "this is the state of"),
        ):
            arguments = [url, target, "--state", f"{self.folder}/state", "--password-command", "echo x"]
            options = _command._parser().parse_args(["fetch", *arguments])
            options.first(options)
            with self.assertRaises(CommandError) as caught:
                await options.alone(reactor, options)
            self.assertEqual(caught.exception.status, status)
            self.assertIn(text, str(caught.exception))
