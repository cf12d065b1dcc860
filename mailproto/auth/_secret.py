"""The server's own secret, which stays the same after a restart."""

from __future__ import annotations

import os
from pathlib import Path

from mailproto.files import write_private

__all__ = ["ensure_secret"]

_LENGTH = 32


def ensure_secret(folder: str | os.PathLike[str]) -> bytes:
    """The octets of the file ``secret`` in ``folder``; made if it is missing, readable only by its owner.

    :raises OSError: the file cannot be read or written.
    """
    file = Path(folder) / "secret"
    try:
        secret = file.read_bytes()
    except FileNotFoundError:
        secret = b""
    if len(secret) < _LENGTH:
        secret = os.urandom(_LENGTH)
        write_private(file, secret)
    return secret
