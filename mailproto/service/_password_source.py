"""Where a command gets the password for another server: a prompt, a file, the environment or a command.

It is never an argument, because every user of the machine can see those (``ps``).
"""

from __future__ import annotations

import getpass
import os
import subprocess
import warnings
from argparse import ArgumentParser, Namespace
from typing import Final

from mailproto.auth import Password, Token
from mailproto.service._account_file import read_private
from mailproto.service._command_error import CommandError

__all__ = ["add_password_options", "read_credentials"]

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
        help="the shell's COMMAND prints the password, such as pass",
    )
    parser.add_argument(
        f"--{prefix}token", action="store_true", help="it is no password, but an access token (OAuth 2.0)"
    )


def read_credentials(options: Namespace, user: str, where: str, prefix: str = "") -> Password | Token:
    """Read the password.  It blocks.

    :param user: who signs in.
    :param where: the server, for the prompt.
    :param prefix: of the options' names.
    :raises CommandError: there is none; the text has nothing of it.
    """
    given = {
        name: getattr(options, f"{prefix.replace('-', '_')}{name}")
        for name in ("password_file", "password_env", "password_command", "token")
    }
    if given["password_file"] is not None:
        option, secret = "--password-file", _of_file(given["password_file"])
    elif given["password_env"] is not None:
        name = given["password_env"]
        if name not in os.environ:
            raise _error(f"--password-env: there is no variable {name} in the environment")
        option, secret = "--password-env", os.environ[name]
    elif given["password_command"] is not None:
        option, secret = "--password-command", _of_command(given["password_command"])
    else:
        option, secret = "the password", _asked(f"Password for {user} at {where}: ")
    if not secret:
        raise _error(f"{option}: it is empty")
    try:
        return Token(user, secret) if given["token"] else Password(user, secret)
    except ValueError as error:
        raise _error(f"{option}: {error}") from None


def _error(text: str) -> CommandError:
    return CommandError(text, status=os.EX_CONFIG)


def _of_file(file: str) -> str:
    try:
        return _first_line(read_private(file))
    except ValueError as error:
        raise _error(f"--password-file: {file}: {error}") from None


def _of_command(command: str) -> str:
    try:
        ended = subprocess.run(  # noqa: S603  (the operator's own command)
            ["/bin/sh", "-c", command], stdout=subprocess.PIPE, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise _error(f"--password-command: it has not ended after {PATIENCE} s") from None
    if ended.returncode:
        raise _error(f"--password-command: it has failed with status {ended.returncode}")
    try:
        return _first_line(ended.stdout.decode())
    except UnicodeDecodeError:
        raise _error("--password-command: what it has printed is not UTF-8") from None


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
