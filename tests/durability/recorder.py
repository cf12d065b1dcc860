"""What a program does to its files and says to its clients, in one order: strace's record of it."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Call", "can_trace", "read_record", "strace", "wait_for_end"]

_FILES = (
    "openat,write,writev,pwrite64,pwritev,ftruncate,truncate,fallocate,fsync,fdatasync,rename,renameat,"
    "renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlink,copy_file_range,sendfile"
)
_SOCKETS = "sendto,sendmsg"


class Call(NamedTuple):
    """A system call that succeeded.

    :ivar name: of the kind: write, truncate, sync, rename, unlink, mkdir, create or say.
    :ivar path: of the file or folder; what was said was said to a socket, a pipe or a terminal.
    :ivar data: what was written.
    :ivar offset: where to; -1: at the file's position.  Of a truncation, the new size.
    :ivar target: a rename's new name.
    :ivar began: the place in the record where the call began; its own place is where it ended.
    """

    name: str
    path: str
    data: bytes = b""
    offset: int = -1
    target: str = ""
    began: int = 0


def strace(record: Path) -> list[str]:
    """What to put before a command, to have a record of it and of its children.

    The command is the process that was started; strace is not its parent.
    """
    return [
        *("strace", "-D", "-f", "-y", "-xx", "-q", "--seccomp-bpf", "-s", str(1 << 26)),
        *("-e", f"trace={_FILES},{_SOCKETS}", "-o", str(record), "--"),
    ]


def wait_for_end(record: Path, pid: int) -> None:
    """Until the record has the end of the process, which may come a moment after it."""
    end = re.compile(rb"^%d +\+\+\+ " % pid, re.MULTILINE)
    deadline = time.monotonic() + 30
    while not end.search(record.read_bytes()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{record} has no end")
        time.sleep(0.01)


def can_trace() -> bool:
    """Whether strace is there and may be used."""
    with tempfile.NamedTemporaryFile() as file:
        try:
            return subprocess.run([*strace(Path(file.name)), "true"], check=False).returncode == 0
        except FileNotFoundError:
            return False


_LINE = re.compile(rb"(\d+) +(?:(\w+)\((.*)|<\.\.\. (\w+) resumed>(.*))", re.DOTALL)
_UNFINISHED = b" <unfinished ...>"
_RESULT = re.compile(rb"\) += (-?\d+|\?)")
_STRING = re.compile(rb'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(rb"^(-?\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2}|[^>])*)>")
_LAST_NUMBER = re.compile(rb", (\d+)$")


def read_record(record: Path) -> list[Call]:
    """All calls of a record, in the order in which they ended."""
    return list(_calls(record.read_bytes().splitlines()))


def _calls(lines: Sequence[bytes]) -> Iterator[Call]:
    begun: dict[bytes, tuple[bytes, int]] = {}  # by thread
    ended = 0
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue  # "+++ exited with 0 +++"
        thread, name, rest, resumed, end = match.groups()
        if name is None:
            name = resumed
            beginning, began = begun.pop(thread, (b"", ended))
            rest = beginning + end
        elif rest.endswith(_UNFINISHED):
            begun[thread] = rest.removesuffix(_UNFINISHED), ended
            continue
        else:
            began = ended
        call = _call(name.decode(), rest)
        if call is not None:
            yield call._replace(began=began)
            ended += 1


def _call(name: str, rest: bytes) -> Call | None:
    *_, result = _RESULT.finditer(rest) if b") " in rest else [None]
    if result is None or result[1] == b"?" or result[1].startswith(b"-"):
        return None
    arguments, value = rest[: result.start()], int(result[1])
    descriptor = _DESCRIPTOR.match(arguments)
    where = _text(descriptor[2]) if descriptor else ""
    strings = [_octets(string) for string in _STRING.findall(arguments)]
    if name in {"rename", "renameat", "renameat2"}:
        old, new = strings
        return Call("rename", _absolute(where, old), target=_absolute(where, new))
    if name in {"unlink", "unlinkat", "rmdir", "mkdir", "mkdirat"}:
        return Call("mkdir" if name.startswith("mkdir") else "unlink", _absolute(where, strings[0]))
    if name == "openat":
        path = _absolute(where, strings[0])
        if b"O_TMPFILE" in arguments:
            return None
        if b"O_TRUNC" in arguments:
            return Call("create", path, offset=0)
        return Call("create", path) if b"O_CREAT" in arguments else None
    if name in {"fsync", "fdatasync"}:
        return Call("sync", where)
    if name == "ftruncate":
        return Call("truncate", where, offset=_last_number(arguments))
    if name == "fallocate":
        return Call("allocate", where)
    if name in {"write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg"}:
        data = b"".join(strings)[:value] if name != "sendmsg" else b"".join(strings)
        if not where.startswith("/") or where.startswith(("/dev/null", "/dev/pts", "/dev/tty")):
            return Call("say", where, data)
        return Call("write", where, data, _last_number(arguments) if name.startswith("p") else -1)
    raise AssertionError(f"a call that the model of the disk does not know: {name}{rest[:200]!r}")


def _octets(escaped: bytes) -> bytes:
    return bytes.fromhex(escaped.replace(b"\\x", b"").decode())


def _text(escaped: bytes) -> str:
    return (_octets(escaped) if escaped.startswith(b"\\x") else escaped).decode(errors="replace")


def _absolute(folder: str, path: bytes) -> str:
    return os.path.normpath(os.path.join(folder or os.getcwd(), path.decode(errors="replace")))


def _last_number(arguments: bytes) -> int:
    number = _LAST_NUMBER.search(arguments)
    assert number is not None, arguments
    return int(number[1])
