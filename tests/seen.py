"""Reads what services were seen to send: `tests/imap/client/seen/README.md` tells the form."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["Seen", "seen"]


class Seen(NamedTuple):
    """One answer.

    :ivar title: the service, and what is odd.
    :ivar where: it was seen.
    :ivar said: the octets, without the CRLF at their end.
    :ivar expected: what the client makes of it.
    :ivar dialogue: the lines of both sides.
    """

    title: str
    where: str
    said: bytes
    expected: str
    dialogue: str

    @property
    def service(self) -> str:
        """The service or the server."""
        return self.title.partition(":")[0]


def seen(file: Path) -> list[Seen]:
    """The answers in a file."""
    return [_read(block) for block in file.read_text(encoding="utf-8").strip().split("\n\n")]


def _read(block: str) -> Seen:
    title, where, *lines = block.splitlines()
    said, expected = "", []
    for line in lines:
        sign, rest = line[:2], line[3:]
        if sign == "S:":
            said += f"\r\n{rest}"
        elif sign == "..":
            said += rest
        elif sign.strip() == "=":
            expected.append(line[2:])
        elif sign != "C:":
            raise ValueError(f"{line!r} in {title}")
    if title[:2] != "# " or where[:2] != "@ " or not said or not expected:
        raise ValueError(block)
    dialogue = "\n".join(line for line in lines if line[:2] in ("S:", "C:"))
    octets = said.removeprefix("\r\n").replace("␊", "\n").encode()
    return Seen(title[2:], where[2:], octets, "\n".join(expected), dialogue)
