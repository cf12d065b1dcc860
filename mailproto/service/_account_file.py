"""Accounts and their passwords from a file or the environment, where ``ps`` does not show them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mailproto.service._names import account_name, new_password

__all__ = ["ACCOUNTS_VARIABLE", "MAX_FILE", "account_lines", "read_private"]

ACCOUNTS_VARIABLE = "MAILPROTO_ACCOUNTS"
"""The environment variable that may have accounts, in the lines of an account file."""

MAX_FILE = 16 << 20
"""Octets of the longest account file."""


def read_private(file: str | os.PathLike[str]) -> str:
    """The text of a file with secrets.

    :raises ValueError: it cannot be read; it is not UTF-8; or others may read it, or the group or others may
        write it.  The message has nothing of the text.
    """
    try:
        with Path(file).open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            if mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP):
                raise ValueError(
                    f"its mode is {stat.S_IMODE(mode):04o}: only its owner may write it, and only its owner"
                    " and group may read it (chmod 600)"
                )
            octets = opened.read(MAX_FILE + 1)
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None
    if len(octets) > MAX_FILE:
        raise ValueError(f"it has more than {MAX_FILE} octets")
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None


def account_lines(text: str) -> Iterator[tuple[str, str]]:
    """The names and passwords in lines of NAME@DOMAIN:PASSWORD.

    Empty lines, and lines that begin with ``#``, mean nothing.  A password is everything between the first
    colon and the end of the line, spaces too.

    :raises ValueError: a line is not valid; the message has its number, and nothing of a password.
    """
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, password = line.partition(":")
        if not colon or not password:
            raise ValueError(f"line {number}: must be NAME@DOMAIN:PASSWORD")
        try:
            yield account_name(name), new_password(password)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
