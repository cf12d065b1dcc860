"""Reads what services were seen to send: `tests/imap/client/seen/README.md` tells the form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

__all__ = ["Seen", "differences", "seen"]


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


def differences(file: Path, made: Callable[[Seen], str]) -> str:
    """Where a client makes something else of an answer than is expected: all of them together."""
    return "\n".join(
        f"{row.title} ({row.where}):\n{found}\ninstead of:\n{row.expected}\n"
        for row in seen(file)
        if (found := made(row)) != row.expected
    )


def _read(block: str) -> Seen:
    title, where, *lines = block.splitlines()
    whole: list[str] = []
    for line in lines:
        if line[:2] == ".." and whole:
            whole[-1] += line[3:]
        elif line[:2].strip() in ("S:", "C:", "=") or line in ("S closes", "C closes"):
            whole.append(line)
        else:
            raise ValueError(f"{line!r} in {title}")
    dialogue = [line.replace("␠", " ") for line in whole if line[0] != "="]
    said = "\r\n".join(line[3:] for line in dialogue if line[:2] == "S:").replace("␊", "\n")
    expected = "\n".join(line[2:] for line in whole if line[0] == "=")
    if title[:2] != "# " or where[:2] != "@ " or not said or not expected:
        raise ValueError(block)
    return Seen(title[2:], where[2:], said.encode(), expected, "\n".join(dialogue))
