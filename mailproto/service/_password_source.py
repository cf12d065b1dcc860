"""Where a command gets the password for another server: a prompt, a file, the environment or a command.

It is never an argument, because every user of the machine can see those (``ps``).
"""

from __future__ import annotations

import getpass
import os
import subprocess
import warnings
from argparse import ArgumentParser, Namespace
from typing import Any, Final

from mailproto.auth import Password, Token
from mailproto.service._account_file import read_private
from mailproto.service._command_error import CommandError

__all__ = ["PasswordSource", "add_password_options", "read_credentials"]

PATIENCE: Final = 120
"""Seconds for a command to print the password; it may ask somebody."""


def add_password_options(parser: ArgumentParser, prefix: str = "") -> None:
    """Add the options that say where the password is; without one, it is asked for.

    :param prefix: before their names, such as ``target-``.
    """
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        f"--{prefix}password-file",
        metavar="FILE",
        help="the password is the first line of FILE, which is private",
    )
    ways.add_argument(
        f"--{prefix}password-env", metavar="NAME", help="the password is in this environment variable"
    )
    ways.add_argument(
        f"--{prefix}password-command",
        metavar="COMMAND",
        help="the shell's COMMAND prints the password, such as pass; $MAILPROTO_USER and $MAILPROTO_HOST say"
        " whose",
    )
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        f"--{prefix}token", action="store_true", help="it is no password, but an access token (OAuth 2.0)"
    )
    kinds.add_argument(
        f"--{prefix}master",
        metavar="NAME",
        help="it is the password of NAME, who may use the accounts of others (a master user)",
    )


class PasswordSource:
    """The options that say where passwords are.

    :param prefix: of their names.
    :ivar is_given: whether any of them is given.
    """

    def __init__(self, options: Namespace, prefix: str = "") -> None:
        def given(name: str) -> Any:
            return getattr(options, f"{prefix.replace('-', '_')}{name}")

        self._prefix = prefix
        self._file, self._variable = given("password_file"), given("password_env")
        self._command, self._is_token = given("password_command"), given("token")
        self._master = given("master")
        self.is_given = bool(self._file or self._variable or self._command or self._master)
        self._secret: str | None = None

    def read(self, user: str, where: str) -> Password | Token:
        """The credentials of one account.  It blocks.

        A file, the environment and the terminal are read at the first call, and a command is run for each.

        :raises CommandError: there are none; the text has nothing of them.
        """
        secret = self._secret
        if secret is None:
            secret = self._read(user, where)
            if self._command is None:
                self._secret = secret
        try:
            if self._is_token:
                return Token(user, secret)
            return Password(self._master or user, secret, user if self._master else "")
        except ValueError as error:
            raise _error(f"{self._option}: {error}") from None

    def read_now(self) -> None:
        """Read what is the same for all accounts, if there is such.  It blocks."""
        if self.is_given and self._command is None:
            self.read(self._master or "all", "the server")

    @property
    def _option(self) -> str:
        for name, value in (("file", self._file), ("env", self._variable), ("command", self._command)):
            if value is not None:
                return f"--{self._prefix}password-{name}"
        return "the password"

    def _read(self, user: str, where: str) -> str:
        if self._file is not None:
            secret = self._of_file(self._file)
        elif self._variable is not None:
            if self._variable not in os.environ:
                raise _error(f"{self._option}: there is no variable {self._variable} in the environment")
            secret = os.environ[self._variable]
        elif self._command is not None:
            secret = self._of_command(self._command, user, where)
        else:
            secret = _asked(f"Password for {self._master or user} at {where}: ")
        if not secret:
            raise _error(f"{self._option}: it is empty")
        return secret

    def _of_file(self, file: str) -> str:
        try:
            return _first_line(read_private(file))
        except ValueError as error:
            raise _error(f"{self._option}: {file}: {error}") from None

    def _of_command(self, command: str, user: str, where: str) -> str:
        about = {"MAILPROTO_USER": user, "MAILPROTO_HOST": where}
        try:
            ended = subprocess.run(  # noqa: S603  (the operator's own command)
                ["/bin/sh", "-c", command],
                stdout=subprocess.PIPE,
                env=os.environ | about,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _error(f"{self._option}: it has not ended after {PATIENCE} s") from None
        if ended.returncode:
            raise _error(f"{self._option}: it has failed with status {ended.returncode}")
        try:
            return _first_line(ended.stdout.decode())
        except UnicodeDecodeError:
            raise _error(f"{self._option}: what it has printed is not UTF-8") from None


def read_credentials(options: Namespace, user: str, where: str, prefix: str = "") -> Password | Token:
    """Read the password.  It blocks.

    :param user: who signs in.
    :param where: the server, for the prompt.
    :param prefix: of the options' names.
    :raises CommandError: there is none; the text has nothing of it.
    """
    return PasswordSource(options, prefix).read(user, where)


def _error(text: str) -> CommandError:
    return CommandError(text, status=os.EX_CONFIG)


def _first_line(text: str) -> str:
    return text.partition("\n")[0].removesuffix("\r")


def _asked(prompt: str) -> str:
    try:
        with warnings.catch_warnings():
            # getpass warns if it cannot hide the typed text: then there is no terminal.
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(prompt)
    except (getpass.GetPassWarning, EOFError):
        raise _error(
            "no terminal to ask for the password: use --password-file, --password-env or --password-command"
        ) from None
