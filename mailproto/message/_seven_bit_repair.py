"""What readers make of octets that an encoded part must not have (RFC 2045 6.7, 6.8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["repaired_base64", "repaired_quoted_printable", "with_crlf"]

_WRONG: Final = b"\0" + bytes(range(128, 256))
_QUOTED: Final = [b"=%02X" % octet if octet in _WRONG else bytes([octet]) for octet in range(256)]

_LONGEST: Final = 998
"""Octets of a line (RFC 5322 2.1.1)."""

_CUT: Final = 76
"""Octets of a line of which a longer one is made."""


def with_crlf(octets: bytes) -> bytes:
    """The octets with CRLF for each line end; a CR at the end counts as one."""
    if octets.count(b"\n") == octets.count(b"\r\n") == octets.count(b"\r"):
        return octets
    return octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def repaired_base64(lines: bytes) -> bytes:
    """The same without the octets that decoders pass over."""
    return lines.translate(None, _WRONG)


def repaired_quoted_printable(lines: bytes) -> bytes:
    """The same with the octets quoted that decoders take as they are; lines that become too long are cut.

    :param lines: with CRLF; the last one may have none: it is the part's last, or goes on.
    """
    if not lines.isascii() or b"\0" in lines:
        lines = b"".join(map(_QUOTED.__getitem__, lines))
    if len(lines) <= _LONGEST or max(map(len, lines.split(b"\n"))) <= _LONGEST:
        made = lines
    else:
        made = b"\r\n".join(b"=\r\n".join(_cut(line)) for line in lines.split(b"\r\n"))
    if len(made) > _LONGEST and not made.endswith(b"\n"):  # a line that goes on
        made += b"=\r\n"
    return made


def _cut(line: bytes) -> Iterator[bytes]:
    if len(line) <= _LONGEST:
        yield line
        return
    at = 0
    while len(line) - at > _CUT:
        end = at + _CUT - 1
        end -= next((back for back in (1, 2) if line[end - back : end - back + 1] == b"="), 0)
        yield line[at:end]
        at = end
    yield line[at:]
