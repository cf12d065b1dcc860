"""Messages of several parts for tests."""

from __future__ import annotations

from itertools import count

from mailproto.content import Content

__all__ = ["Counting", "alternative", "mixed", "multipart", "part", "related"]

_numbers = count()


class Counting(Content):
    """A content that counts how many octets of it are read."""

    octets_read = 0

    def _read(self, start: int, stop: int) -> bytes:
        self.octets_read += stop - start
        return super()._read(start, stop)


def part(content_type: str, body: bytes, *fields: str) -> bytes:
    """A part, or a whole message, with these fields."""
    lines = ["MIME-Version: 1.0", f"Content-Type: {content_type}", *fields]
    return "".join(line + "\r\n" for line in lines).encode() + b"\r\n" + body


def multipart(subtype: str, *parts: bytes) -> bytes:
    """A message of these parts."""
    boundary = f"boundary-{next(_numbers)}-"
    line = b"\r\n--%b" % boundary.encode()
    body = b"".join([line + b"\r\n" + each for each in parts]) + line + b"--\r\n"
    return part(f'multipart/{subtype}; boundary="{boundary}"', body)


def mixed(*parts: bytes) -> bytes:
    return multipart("mixed", *parts)


def alternative(*parts: bytes) -> bytes:
    return multipart("alternative", *parts)


def related(*parts: bytes) -> bytes:
    return multipart("related", *parts)
