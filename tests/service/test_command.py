"""``mailproto user ...`` as a process of its own; `test_process` has it beside a running server."""

from __future__ import annotations

import errno
import getpass
import os
import sqlite3
import stat
import subprocess
from argparse import Namespace
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto import __version__
from mailproto.errors import NoSuchAccount
from mailproto.service import _command as command
from mailproto.service import _user_command
from tests.auth.fakes import Directory
from tests.backends.sqlite.test_schema import KEPT, REPORTS, VERSION_1
from tests.processes import CHECKOUT, COMMAND, PATIENCE, ProgramCase


class CommandTests(ProgramCase):
    def assert_says(self, status: int, output: str, *arguments: str, given: str = "") -> None:
        done = self.command(*arguments, given=given)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (status, output))

    def test_life_of_an_account(self) -> None:
        self.assert_says(0, "", "user", "add", "Alice@Example.org", "--password-stdin", given="secret\n")
        self.assertEqual(stat.S_IMODE(os.stat(Path(self.folder, "mailproto-data")).st_mode), 0o700)
        self.assert_says(0, "Alice@Example.org\n", "user", "list")
        self.assert_says(
            1,
            "mailproto: alice@example.org: Account exists already\n",
            *("user", "add", "alice@example.org", "--password-stdin"),
            given="secret\n",
        )
        self.assert_says(0, "", "user", "passwd", "alice@example.org", "--password-stdin", given="other")
        self.assert_says(0, "", "user", "delete", "ALICE@example.org")
        self.assert_says(0, "", "user", "list")
        self.assert_says(
            1, "mailproto: alice@example.org: No such account\n", "user", "delete", "alice@example.org"
        )

    def test_who_reads_has_enough(self) -> None:
        """As in ``mailproto queue list | head``."""
        self.assert_says(0, "", "user", "add", "bob@localhost", "--password-stdin", given="secret\n")
        reader, writer = os.pipe()
        os.close(reader)
        self.addCleanup(os.close, writer)
        done = subprocess.run(
            [*COMMAND, "user", "list"],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (1, b""))

    def test_disabled_and_enabled(self) -> None:
        self.assert_says(0, "", "user", "add", "bob@localhost", "--password-stdin", given="secret\n")
        for action in ("disable", "disable", "enable", "enable"):
            self.assert_says(0, "", "user", action, "BOB@localhost")
        self.assert_says(
            1, "mailproto: carol@localhost: No such account\n", "user", "disable", "carol@localhost"
        )

    def test_quota(self) -> None:
        self.assert_says(0, "", "user", "add", "bob@localhost", "--password-stdin", given="secret\n")
        nothing = "0 of any number of octets\n0 of any number of messages\n"
        for said, *options in (
            (nothing,),
            ("0 of 1610612736 octets\n0 of any number of messages\n", "--storage", "1536m"),
            ("0 of 1610612736 octets\n0 of 20 messages\n", "--messages=20"),
            ("0 of any number of octets\n0 of 0 messages\n", "--messages=0", "--storage=none"),
            (nothing, "--messages=default", "--storage=default"),
        ):
            self.assert_says(0, said, "user", "quota", "BOB@localhost", *options)
        for option, value, reason in (
            ("--storage", "1.5G", "not a number of octets, such as 500M or 1G: '1.5G'"),
            ("--messages", "1K", "not a number: '1K'"),
        ):
            line = f"mailproto: {option}: {reason}\n"
            self.assert_says(1, line, "user", "quota", "bob@localhost", f"{option}={value}")

    def test_spellings(self) -> None:
        name = "jose\u0301@bücher.example"
        self.assert_says(0, "", "user", "add", name, "--password-stdin", given="secret\n")
        self.assert_says(0, "josé@bücher.example\n", "user", "list")
        for twin in ("josé@bücher.example", "JOSÉ@xn--bcher-kva.example", "ｊosé@bücher.example"):
            done = self.command("user", "add", twin, "--password-stdin", given="secret\n")
            self.assertEqual(done.returncode, 1)
            self.assertTrue(done.stderr.endswith(": Account exists already\n"), done.stderr)
        self.assert_says(0, "", "user", "delete", "josé@xn--bcher-kva.example")
        self.assert_says(0, "", "user", "list")

    def test_a_store_of_an_older_version(self) -> None:
        """What becomes of its accounts is said by who finds it first."""
        folder = Path(self.folder, "mailproto-data", "mail")
        folder.mkdir(parents=True)
        connection = sqlite3.connect(folder / "mail.sqlite3")
        connection.executescript(VERSION_1)
        connection.close()
        done = self.command("user", "list")
        self.assertIn("mailproto user delete x²-3@example.org\n", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), len(REPORTS))
        self.assertEqual(sorted(done.stdout.splitlines()), sorted(KEPT))
        self.assert_says(0, "", "user", "delete", "al\u200bice@example.org")

    def test_a_name_without_a_domain(self) -> None:
        """It has the first one of the server that ran last, or one that is said."""
        add = ("user", "add", "alice", "--password-stdin")
        done = self.command(*add, given="secret\n")
        self.assertEqual(done.returncode, os.EX_USAGE)
        self.assertIn("not NAME@DOMAIN: 'alice'", done.stderr)
        self.assert_says(0, "", *add, "--domain", "example.org", given="secret\n")
        Path(self.folder, "mailproto-data", "domains").write_text("b\u00fccher.example\n")
        self.assert_says(0, "", *add, given="secret\n")
        names = "alice@b\u00fccher.example\nalice@example.org\n"
        self.assert_says(0, names, "user", "list")
        for action in ("disable", "enable", "delete"):
            self.assert_says(0, "", "user", action, "ALICE")
        self.assert_says(0, "alice@example.org\n", "user", "list")
        self.assert_says(1, "mailproto: alice: No such account\n", "user", "delete", "alice")
        self.assert_says(0, "", "user", "delete", "alice", "--domain", "example.org")

    def test_a_server_tells_of_its_first_domain(self) -> None:
        self.start(
            "mailproto",
            "--imap=tcp:0:interface=127.0.0.1",
            "--domain=b\u00fccher.example",
            "--domain=x.example",
            "--data=mailproto-data",
        ).wait_for("mailproto is ready")
        self.assert_says(0, "", "user", "add", "alice", "--password-stdin", given="secret\n")
        self.assertIn("alice@b\u00fccher.example\n", self.command("user", "list").stdout)

    def test_store_elsewhere(self) -> None:
        store = ("--store", f"sqlite:{self.folder}/elsewhere")
        self.assert_says(0, "", "user", "add", "bob@localhost", "--password-stdin", *store, given="x\n")
        self.assert_says(0, "bob@localhost\n", "user", "list", *store)
        self.assertFalse(Path(self.folder, "mailproto-data").exists())

    def test_what_is_in_the_way(self) -> None:
        """The reason in one line."""
        Path(self.folder, "no.sqlite3").write_text("no database" * 1000)
        to_do = "restore it from a backup, or choose another place"
        reason = f"mailproto: no.sqlite3: file is not a database; {to_do}\n"
        self.assert_says(1, reason, "user", "list", "--store", "sqlite:no.sqlite3")
        self.assert_says(0, "", "user", "add", "bob@localhost", "--password-stdin", given="x\n")
        database = Path(self.folder, "mailproto-data", "mail", "mail.sqlite3")
        connection = sqlite3.connect(database)
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        done = self.command("user", "list")
        self.assertRegex(done.stderr, r"^mailproto: .* has schema version 99; .*\n$")


class RefusalTests(SynchronousTestCase):
    """What ends before anything is opened."""

    def run_command(self, *arguments: str, given: str = "") -> tuple[object, str]:
        """(status or the line that is said, what argparse said)"""
        with mock.patch("sys.stderr") as stderr, mock.patch("sys.stdin") as stdin:
            stdin.readline.return_value = given
            ended = self.assertRaises(SystemExit, command.main, arguments)
        return ended.code, "".join(call.args[0] for call in stderr.write.call_args_list)

    def test_memory_store(self) -> None:
        said, _ = self.run_command("user", "list", "--store", "memory:")
        self.assertIn("lives in the server's process", str(said))

    def test_no_store(self) -> None:
        for action in (("list",), ("delete", "alice@localhost")):
            for option in (("--data", "/nonexistent"), ("--store", "sqlite:/nonexistent")):
                said, _ = self.run_command("user", *action, *option)
                self.assertEqual(said, "mailproto: there is no store in /nonexistent")

    def test_a_folder_that_may_not_be_looked_into(self) -> None:
        denied = PermissionError(errno.EACCES, "Permission denied", "data")
        with mock.patch.object(command, "_is_there", side_effect=denied):
            said, _ = self.run_command("user", "list", "--data", "data")
        self.assertRegex(str(said), "^mailproto: data: Permission denied: the user [a-z]+ may not use it; .*")

    def test_empty_password(self) -> None:
        said, _ = self.run_command("user", "add", "alice@localhost", "--password-stdin", given="\n")
        self.assertEqual(said, "mailproto: an empty password is none")

    def test_a_password_that_no_client_could_send(self) -> None:
        add = ("user", "add", "alice@localhost", "--password-stdin")
        for given, says in (
            ("sec\udce9ret\n", "a password must be UTF-8"),
            ("a\0b", "a password cannot have a NUL"),
        ):
            said, _ = self.run_command(*add, given=given)
            self.assertEqual(said, f"mailproto: {says}")
        undecodable = UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "invalid")  # of a locale that is strict
        with mock.patch("getpass.getpass", side_effect=undecodable):
            said, _ = self.run_command("user", "add", "alice@localhost")
        self.assertEqual(said, "mailproto: a password must be UTF-8")

    def test_no_terminal(self) -> None:
        without: Any = getpass
        with mock.patch("getpass.getpass", without.fallback_getpass):  # what it is where there is none
            said, _ = self.run_command("user", "add", "alice@localhost", given="secret\n")
        self.assertEqual(said, "mailproto: no terminal to ask for the password: use --password-stdin")

    def test_two_different_passwords(self) -> None:
        with mock.patch("getpass.getpass", side_effect=["one", "two"]):
            said, _ = self.run_command("user", "add", "alice@localhost")
        self.assertEqual(said, "mailproto: the two passwords differ")

    def test_given_up_at_the_prompt(self) -> None:
        with mock.patch("getpass.getpass", side_effect=KeyboardInterrupt):
            said, _ = self.run_command("user", "add", "alice@localhost")
        self.assertEqual(said, "mailproto: nothing changed")

    def test_wrong_usage(self) -> None:
        for arguments in ((), ("user",), ("user", "add"), ("user", "frob"), ("user", "add", "alice")):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.run_command(*arguments)[0], 64)
        self.assertIn("not NAME@DOMAIN: 'alice'", self.run_command("user", "add", "alice")[1])
        said = self.run_command("user", "add", "al\u200bice@localhost")[1]
        self.assertIn("'al\\u200bice@localhost' has U+200B (ZERO WIDTH SPACE), which cannot be seen", said)

    def test_version(self) -> None:
        with mock.patch("sys.stdout") as stdout:
            self.assertRaises(SystemExit, command.main, ["--version"])
        self.assertIn(__version__, str(stdout.write.call_args_list))


class NameTests(SynchronousTestCase):
    def test_an_account_of_just_that_name_wins(self) -> None:
        """Such as a program of one's own may make."""
        directory = Directory(alice="secret")
        for name, domain, expected in (
            ("alice", "example.org", "alice@Example.org"),
            ("alice", "other.example", None),
            ("alice", "", None),
            ("alice@example.org", "other.example", "alice@Example.org"),
        ):
            found = Deferred.fromCoroutine(
                _user_command.found_name(directory, Namespace(name=name, domain=domain))
            )
            if expected is None:
                self.failureResultOf(found, NoSuchAccount)
            else:
                self.assertEqual(self.successResultOf(found), expected)
        directory.hashes["alice"] = ""
        found = Deferred.fromCoroutine(
            _user_command.found_name(directory, Namespace(name="alice", domain="example.org"))
        )
        self.assertEqual(self.successResultOf(found), "alice")
