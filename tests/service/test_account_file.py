"""Accounts from a file or the environment: no password in the list of processes, and none in an error."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from mailproto.service import AccountSettings, Options, SettingError, Settings
from mailproto.service._account_file import ACCOUNTS_VARIABLE, MAX_FILE

LINES = "# the office\n\nalice@example.org:a:b c \r\n  \nbob+x@localhost:ü#1\n"
ACCOUNTS = [("alice@example.org", "a:b c "), ("bob+x@localhost", "ü#1")]


class AccountFileTestCase(SynchronousTestCase):
    def file(self, text: str | bytes = LINES, mode: int = 0o600) -> Path:
        file = Path(self.mktemp())
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        file.chmod(mode)
        return file

    def parse(self, *arguments: object) -> list[tuple[str, str]]:
        options = Options()
        options.parseOptions([str(argument) for argument in arguments])
        return [(account.name, account.password) for account in options.settings.accounts]

    def assert_wrong(self, *arguments: object) -> str:
        message = str(self.assertRaises(UsageError, self.parse, *arguments))
        self.assertNotIn("\n", message)
        self.assertNotIn("hunter2", message)
        return message


class FileTests(AccountFileTestCase):
    def test_lines(self) -> None:
        self.assertEqual(self.parse("--account-file", self.file()), ACCOUNTS)

    def test_several_and_single_accounts(self) -> None:
        more = self.file("carol@example.org:secret")
        given = self.parse(
            "--account-file", self.file(), "--account", "dave@localhost:x", "--account-file", more
        )
        self.assertEqual(given, [*ACCOUNTS, ("dave@localhost", "x"), ("carol@example.org", "secret")])

    def test_a_program_reads_it_too(self) -> None:
        settings = Settings(accounts=AccountSettings.from_file(self.file()))
        self.assertEqual([(account.name, account.password) for account in settings.accounts], ACCOUNTS)

    def test_marked_as_utf_8(self) -> None:
        """As editors on Windows do."""
        self.assertEqual(self.parse("--account-file", self.file("\ufeff" + LINES)), ACCOUNTS)

    def test_from_a_pipe(self) -> None:
        """As a shell's ``<(command)`` gives it."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.write(writing, LINES.encode())
        os.close(writing)
        self.assertEqual(self.parse("--account-file", f"/dev/fd/{reading}"), ACCOUNTS)

    def test_who_may_read_it(self) -> None:
        for mode in (0o600, 0o400, 0o640, 0o440, 0o700):
            self.assertEqual(self.parse("--account-file", self.file(mode=mode)), ACCOUNTS)
        for mode in (0o644, 0o604, 0o602, 0o660, 0o666, 0o444):
            with self.subTest(mode=oct(mode)):
                file = self.file(mode=mode)
                message = self.assert_wrong("--account-file", file)
                self.assertIn(f"--account-file {file}: its mode is {mode:04o}", message)
                self.assertIn("chmod 600", message)

    def test_what_cannot_be_used(self) -> None:
        for text, reason in (
            ("alice@example.org:x\nhunter2\n", "line 2: must be NAME@DOMAIN:PASSWORD"),
            ("hunter2:\n", "line 1: must be NAME@DOMAIN:PASSWORD"),
            ("alice:hunter2\n", "line 1: not NAME@DOMAIN: 'alice'"),
            ("al\u200bice@localhost:hunter2\n", "line 1: 'al\\u200bice@localhost' has U+200B"),
            ("alice@localhost:hunter2\0\n", "line 1: a password cannot have a NUL"),
            (b"alice@localhost:hunter2\xe9\n", "it is not UTF-8"),
            (b"#" * (MAX_FILE + 1), "it has more than"),
        ):
            with self.subTest(reason=reason):
                self.assertIn(reason, self.assert_wrong("--account-file", self.file(text)))

    def test_no_file(self) -> None:
        for path, reason in (
            ("missing", "No such file"),
            (Path.cwd(), "Is a directory"),
            ("", "a path is missing"),
        ):
            self.assertIn(reason, self.assert_wrong("--account-file", path))

    def test_a_programs_error(self) -> None:
        error = self.assertRaises(SettingError, AccountSettings.from_file, self.file("hunter2"))
        self.assertEqual((error.path, error.reason), ("accounts", "line 1: must be NAME@DOMAIN:PASSWORD"))


class EnvironmentTests(AccountFileTestCase):
    def set(self, text: str) -> None:
        self.patch(os, "environ", {**os.environ, ACCOUNTS_VARIABLE: text})

    def test_lines(self) -> None:
        self.set(LINES)
        self.assertEqual(self.parse(), ACCOUNTS)

    def test_an_option_counts_more(self) -> None:
        self.set("alice@example.org:old")
        self.assertEqual(
            self.parse("--account", "alice@example.org:new"),
            [("alice@example.org", "old"), ("alice@example.org", "new")],
        )

    def test_wrong(self) -> None:
        self.set("hunter2")
        self.assertEqual(self.assert_wrong(), "MAILPROTO_ACCOUNTS: line 1: must be NAME@DOMAIN:PASSWORD")

    def test_empty(self) -> None:
        self.set("")
        self.assertEqual(self.parse(), [])
