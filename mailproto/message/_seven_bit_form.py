"""Writing a message with 7-bit octets only, for servers that take no others (RFC 6152 3, RFC 3030 3)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator
from typing import Final

from mailproto.content import Octets
from mailproto.message._fields import HEADER_LIMIT
from mailproto.message._index import Index
from mailproto.message._mime import transfer_encoding
from mailproto.message._scan import MESSAGE, MULTIPART, TEXT, Part
from mailproto.message._steps import Steps

__all__ = ["NotConvertible", "seven_bit_form_steps"]

_PIECE: Final = 57 << 10
"""Octets that are encoded at a time, in less than a millisecond; whole lines of base64."""

_SAMPLE: Final = 1 << 12
"""Octets of a text by which its encoding is chosen."""

_FIELD_END = rb"[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*(?:\n|\Z)"
_ENCODING_FIELD = re.compile(rb"^content-transfer-encoding" + _FIELD_END, re.IGNORECASE | re.MULTILINE)
_CONTENT_FIELDS = re.compile(rb"^content-[!-9;-~]++" + _FIELD_END, re.IGNORECASE | re.MULTILINE)
_FIELDS = re.compile(rb"(?:[!-9;-~]++" + _FIELD_END + rb")*")
_EMPTY_LINE = re.compile(rb"(?:(?<=\n)|\A)\r?\n\Z")
_ASCII: Final = bytes(range(128))
_MASKED: Final = b"?" + _ASCII[1:] + b"?" * 128

_Write = Callable[[bytes], object]


class NotConvertible(Exception):
    """The message has no form with 7-bit octets, or none that means the same; the text says why."""


def seven_bit_form_steps(content: Octets, index: Index, write: _Write) -> Steps[None]:
    """Write the same message with 7-bit octets and CRLF line ends only, in steps.

    Parts with other octets are encoded, text in quoted-printable or base64, whichever is shorter, and
    anything else in base64; all other octets stay as they are.  What is signed (multipart/signed, RFC 1847)
    must not be changed.

    :param index: of the content.
    :param write: called with the octets, a piece at a time.
    :raises NotConvertible: there is no such form: a header has octets above 127, or a part that must not
        be changed, or cannot be encoded once more, has.  Something may be written already.
    """
    return _Conversion(content, write).run(index.root)


class _Conversion:
    def __init__(self, content: Octets, write: _Write) -> None:
        self._content = content
        self._write = write

    def run(self, root: Part) -> Steps[None]:
        """Go through the parts in their order, and what is between them."""
        stack: list[tuple[Part, Iterator[Part], bool]] = []  # open parts, and whether they are signed
        part: Part | None = root
        at, is_signed = 0, False
        while part is not None or stack:
            if part is None:
                parent, children, is_signed = stack[-1]
                part = next(children, None)
                if part is None:
                    stack.pop()
                    yield from self._between(at, parent.end)
                    at = parent.end
                    continue
                yield from self._between(at, part.header)
            if part.kind in (MULTIPART, MESSAGE) and part.children and not self._is_global(part):
                self._header(part, b"7bit", is_signed)
                is_signed = is_signed or self._type(part) == (b"multipart", b"signed")
                stack.append((part, iter(part.children), is_signed))
                at = part.body
            else:
                yield from self._leaf(part, is_signed)
                at = part.end
            part = None

    def _type(self, part: Part) -> tuple[bytes, bytes]:
        kind, subtype, _ = part.content_type(self._content)
        return kind.lower(), subtype.lower()

    def _is_global(self, part: Part) -> bool:
        """Whether it is a message that may be encoded as a whole, and must be (RFC 6532 3.7)."""
        if self._type(part) != (b"message", b"global"):
            return False
        size = part.end - part.body
        return size > HEADER_LIMIT or not self._content[part.body : part.end].isascii()

    def _pieces(self, start: int, stop: int) -> Iterator[bytes]:
        for at in range(start, stop, _PIECE):
            yield self._content[at : min(at + _PIECE, stop)]

    def _between(self, start: int, stop: int) -> Steps[None]:
        """Delimiters, and text that nobody reads (RFC 2046 5.1.1)."""
        for piece in self._pieces(start, stop):
            self._write(piece if _is_clean(piece) else piece.translate(_MASKED))
            yield

    def _header(self, part: Part, encoding: bytes, is_signed: bool) -> None:
        """Write a header block, with another encoding if the body has another one now.

        :param encoding: 7bit if the body is as it was; then the block stays, unless it says 8bit or binary.
        """
        block, declared = self._block(part), self._declared(part)
        if not is_signed and (declared in (b"8bit", b"binary") or encoding != b"7bit"):
            block = self._labelled(part, block, encoding)
        self._write(block)

    def _block(self, part: Part) -> bytes:
        if part.body - part.header > HEADER_LIMIT:
            raise NotConvertible("a header is too long")
        block = self._content[part.header : part.body]
        if not _is_clean(block):
            raise NotConvertible("a header has octets that cannot be encoded")
        if part.children and not _EMPTY_LINE.search(block):
            raise NotConvertible("a header has no end")
        return block

    def _labelled(self, part: Part, block: bytes, encoding: bytes) -> bytes:
        """A header block with another transfer encoding."""
        fields = _EMPTY_LINE.sub(b"", block)
        if fields and not fields.endswith(b"\n"):
            fields += b"\r\n"
        if not _FIELDS.fullmatch(fields):
            raise NotConvertible("a header has lines that are no fields")
        if part.is_message and not part.fields(self._content).keys() & {b"mime-version", b"content-type"}:
            # It was no MIME message, so nothing says what its octets mean (RFC 1428 3).
            fields = _CONTENT_FIELDS.sub(b"", fields)
            fields += b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
        else:
            fields = _ENCODING_FIELD.sub(b"", fields)
        return b"%bContent-Transfer-Encoding: %b\r\n\r\n" % (fields, encoding)

    def _declared(self, part: Part) -> bytes:
        values = part.fields(self._content).get(b"content-transfer-encoding")
        if not values:
            return b"7bit"
        return (transfer_encoding(values) or values[0].strip() or b"7bit").lower()

    # -- parts without parts

    def _leaf(self, part: Part, is_signed: bool) -> Steps[None]:
        is_clean = True
        has_binary = False
        last = b""
        for piece in self._pieces(part.body, part.end):
            if not piece.isascii():
                is_clean = False
            if not has_binary and not _is_lines(last + piece):
                has_binary, is_clean = True, False
            last = piece[-1:] if piece.endswith(b"\r") else b""
            yield
        has_binary = has_binary or last == b"\r"
        if is_clean and not has_binary:
            self._header(part, b"7bit", is_signed)
            for piece in self._pieces(part.body, part.end):
                self._write(piece)
                yield
            return
        if is_signed:
            raise NotConvertible("what is signed must not be changed")
        if self._declared(part) not in (b"7bit", b"8bit", b"binary"):
            raise NotConvertible("a part is encoded already, and has octets that it must not have")
        kind, subtype = self._type(part)
        if kind == b"multipart" or (kind == b"message" and not subtype.startswith(b"global")):
            raise NotConvertible(f"a part of the type {kind.decode()} must not be encoded")
        if part.kind == TEXT and not has_binary and self._is_mostly_ascii(part):
            self._header(part, b"quoted-printable", is_signed)
            yield from self._quoted_printable(part)
        else:
            self._header(part, b"base64", is_signed)
            for piece in self._pieces(part.body, part.end):
                self._write(_base64(piece))
                yield

    def _is_mostly_ascii(self, part: Part) -> bool:
        """Whether quoted-printable, with three octets for one above 127, is shorter than base64."""
        sample = self._content[part.body : min(part.body + _SAMPLE, part.end)]
        return len(sample.translate(None, _ASCII)) * 6 <= len(sample)

    def _quoted_printable(self, part: Part) -> Steps[None]:
        rest = b""
        for piece in self._pieces(part.body, part.end):
            text = rest + piece
            cut = text.rfind(b"\n") + 1
            rest = text[cut:]
            self._write(_encoded(text[:cut]))
            if len(rest) > _PIECE:  # a line without end: a soft line break makes it two
                self._write(_encoded(rest[:-1]) + b"=\r\n")
                rest = rest[-1:]
            yield
        self._write(_encoded(rest))


def _encoded(text: bytes) -> bytes:
    return binascii.b2a_qp(text.replace(b"\r\n", b"\n"), istext=True).replace(b"\n", b"\r\n")


def _base64(piece: bytes) -> bytes:
    text = binascii.b2a_base64(piece, newline=False)
    return b"".join([text[at : at + 76] + b"\r\n" for at in range(0, len(text), 76)])


def _is_clean(octets: bytes) -> bool:
    return octets.isascii() and b"\0" not in octets


def _is_lines(octets: bytes) -> bool:
    """Whether it has neither NULs nor bare CRs or LFs, but for a CR at its end."""
    ends = octets.count(b"\r\n")
    return (
        b"\0" not in octets
        and octets.count(b"\n") == ends
        and octets.count(b"\r") == ends + octets.endswith(b"\r")
    )
