"""Writing a message with 7-bit octets only, or without binary octets (RFC 6152 3, RFC 3030 3)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from mailproto.content import Octets
from mailproto.message._fields import HEADER_LIMIT
from mailproto.message._index import Index
from mailproto.message._mime import transfer_encoding
from mailproto.message._scan import MESSAGE, MULTIPART, OPAQUE, TEXT, Part
from mailproto.message._seven_bit_repair import repaired_base64, repaired_quoted_printable, with_crlf
from mailproto.message._steps import Steps

__all__ = ["NotConvertible", "seven_bit_form_steps"]

_PIECE: Final = 57 << 10
"""Octets that are encoded at a time, in less than a millisecond; whole lines of base64."""

_REPAIRED: Final = 8 << 10
"""Octets that are repaired at a time, which takes longer."""

_SAMPLE: Final = 1 << 12
"""Octets of a text by which its encoding is chosen."""

_FIELD_END = rb"[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*(?:\n|\Z)"
_ENCODING_FIELD = re.compile(rb"^content-transfer-encoding" + _FIELD_END, re.IGNORECASE | re.MULTILINE)
_TYPE_NAME = re.compile(rb"^(?=content-type[ \t]*+:)", re.IGNORECASE | re.MULTILINE)
_CONTENT_FIELDS = re.compile(rb"^content-[!-9;-~]++" + _FIELD_END, re.IGNORECASE | re.MULTILINE)
_FIELDS = re.compile(rb"(?:[!-9;-~]++" + _FIELD_END + rb")*")
_EMPTY_LINE = re.compile(rb"(?:(?<=\n)|\A)\r?\n\Z")
_ASCII: Final = bytes(range(128))
_MASKED: Final = b"?" + _ASCII[1:] + b"?" * 128
_WITHOUT_NUL: Final = b"?" + bytes(range(1, 256))

_UNKNOWN_TEXT: Final = b"text/plain; charset=unknown-8bit"
"""The type of text of which nothing is known (RFC 1428 3)."""

_GLOBAL: Final = {
    b"delivery-status": b"message/global-delivery-status",
    b"disposition-notification": b"message/global-disposition-notification",
}
"""Reports with octets above 127, by their subtypes; only these types may be encoded (RFC 6533 3, 5)."""

_CODED = (b"x-", b"uu", b"yenc")
"""The beginnings of encodings in which the octets of a part mean something else, and that are not known."""

_Write = Callable[[bytes], object]


class NotConvertible(Exception):
    """The message has no form with 7-bit octets, or none that means the same; the text says why."""


def seven_bit_form_steps(
    content: Octets,
    index: Index,
    write: _Write,
    *,
    keeps_8bit: bool = False,
    ascii_header: Callable[[bytes], bytes] | None = None,
) -> Steps[None]:
    """Write the same message in lines that end in CRLF, without NULs and with 7-bit octets only, in steps.

    Parts with other octets are encoded, text in quoted-printable or base64, whichever is shorter, and
    anything else in base64; all other octets stay as they are.  What is signed (multipart/signed, RFC 1847)
    must not be changed.

    Faults that are common, and that readers take lightly, do not matter.  A multipart without parts becomes
    text.  Octets above 127 in what is already encoded are encoded, too (quoted-printable), or left out, as
    readers do (base64, RFC 2045 6.8).  An encoding that does not exist is none.

    :param index: of the content.
    :param write: called with the octets, a piece at a time.
    :param keeps_8bit: whether octets above 127 may stay: then only parts with NULs, or with bare CRs or LFs,
        are encoded.
    :param ascii_header: gives the 7-bit form of a header block that has other octets, or raises ValueError.
    :raises NotConvertible: there is no such form: a header has octets above 127, or a part that must not
        be changed, or cannot be encoded once more, has.  Something may be written already.
    """
    return _Conversion(content, write, keeps_8bit, ascii_header).run(index.root)


class _Conversion:
    def __init__(
        self,
        content: Octets,
        write: _Write,
        keeps_8bit: bool,
        ascii_header: Callable[[bytes], bytes] | None,
    ) -> None:
        self._content = content
        self._write = write
        self._keeps_8bit = keeps_8bit
        self._ascii_header = ascii_header
        self._identity = b"8bit" if keeps_8bit else b"7bit"

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
                self._header(part, is_signed)
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
        if self._keeps_8bit:
            return False
        return size > HEADER_LIMIT or not self._content[part.body : part.end].isascii()

    def _pieces(self, start: int, stop: int, size: int = _PIECE) -> Iterator[bytes]:
        for at in range(start, stop, size):
            yield self._content[at : min(at + size, stop)]

    def _lines(self, part: Part) -> Iterator[bytes]:
        """A part's body with CRLF, in pieces that end with a line; but a line without end is cut."""
        rest = b""
        for piece in self._pieces(part.body, part.end, _REPAIRED):
            text = rest + piece
            cut = text.rfind(b"\n") + 1
            if not cut and len(text) > _REPAIRED:
                cut = len(text) - 1
                cut = text.find(b"=", cut - 2, cut) if b"=" in text[cut - 2 : cut] else cut
            rest = text[cut:]
            yield with_crlf(text[:cut])
        yield with_crlf(rest)

    def _is_clean(self, octets: bytes) -> bool:
        return b"\0" not in octets and (self._keeps_8bit or octets.isascii())

    def _between(self, start: int, stop: int) -> Steps[None]:
        """Delimiters, and text that nobody reads (RFC 2046 5.1.1)."""
        masked = _WITHOUT_NUL if self._keeps_8bit else _MASKED
        last = b""
        for piece in self._pieces(start, stop):
            if not self._is_clean(piece):
                piece = piece.translate(masked)
            piece = last + piece
            last = piece[-1:] if piece.endswith(b"\r") else b""
            self._write(with_crlf(piece[:-1] if last else piece))
            yield
        self._write(with_crlf(last))

    def _header(self, part: Part, is_signed: bool, encoding: bytes = b"", kind: bytes = b"") -> None:
        """Write a header block, with another encoding if the body has another one now.

        :param encoding: empty if the body is as it was; then the block stays, unless it says 8bit or binary.
        :param kind: the type, if it is another one now.
        """
        block, declared = self._block(part, is_signed), self._declared(part)
        is_wrong = declared in (b"8bit", b"binary") and declared != self._identity
        if encoding or (is_wrong and not is_signed):
            block = self._labelled(part, block, encoding or self._identity, kind)
        self._write(block)

    def _block(self, part: Part, is_signed: bool) -> bytes:
        if part.body - part.header > HEADER_LIMIT:
            raise NotConvertible("a header is too long")
        block = self._content[part.header : part.body]
        if not (is_signed or self._is_clean(block)) and self._ascii_header is not None:
            with suppress(ValueError):
                block = self._ascii_header(with_crlf(block))
        if not self._is_clean(block):
            raise NotConvertible("a header has octets that cannot be encoded")
        if is_signed:
            if not _is_lines(block):
                raise NotConvertible("what is signed must not be changed")
            return block
        if part.children and not _EMPTY_LINE.search(block):
            block += b"\n"
        return with_crlf(block)

    def _labelled(self, part: Part, block: bytes, encoding: bytes, kind: bytes) -> bytes:
        """A header block with another transfer encoding, and perhaps another type."""
        fields = _EMPTY_LINE.sub(b"", block)
        if fields and not fields.endswith(b"\n"):
            fields += b"\r\n"
        if not _FIELDS.fullmatch(fields):
            raise NotConvertible("a header has lines that are no fields")
        there = part.fields(self._content).keys()
        if part.is_message and not there & {b"mime-version", b"content-type"}:
            # It was no MIME message, so nothing says what its octets mean.
            fields, kind = _CONTENT_FIELDS.sub(b"", fields), _UNKNOWN_TEXT
        else:
            fields = _ENCODING_FIELD.sub(b"", fields)
        if part.is_message and b"mime-version" not in there:  # without it, some readers decode nothing
            fields += b"MIME-Version: 1.0\r\n"
        if kind:
            fields = b"%bContent-Type: %b\r\n" % (_TYPE_NAME.sub(b"X-Original-", fields), kind)
        return b"%bContent-Transfer-Encoding: %b\r\n\r\n" % (fields, encoding)

    def _declared(self, part: Part) -> bytes:
        values = part.fields(self._content).get(b"content-transfer-encoding")
        if not values:
            return b"7bit"
        return (transfer_encoding(values) or values[0].strip() or b"7bit").lower()

    # -- parts without parts

    def _leaf(self, part: Part, is_signed: bool) -> Steps[None]:
        is_clean, has_binary = yield from self._look(part)
        if is_clean and not has_binary:
            self._header(part, is_signed)
            for piece in self._pieces(part.body, part.end):
                self._write(piece)
                yield
            return
        if is_signed:
            raise NotConvertible("what is signed must not be changed")
        declared = self._declared(part)
        if declared == b"quoted-printable":
            self._header(part, is_signed)
            for piece in self._lines(part):
                self._write(repaired_quoted_printable(piece))
                yield
        elif declared == b"base64":
            self._header(part, is_signed)
            for piece in self._lines(part):
                self._write(repaired_base64(piece))
                yield
        elif declared.startswith(_CODED):
            raise NotConvertible("a part is encoded already, and has octets that it must not have")
        else:
            yield from self._encode(part, self._new_type(part), has_binary)

    def _look(self, part: Part) -> Steps[tuple[bool, bool]]:
        """Whether a part has no octets that must be encoded, and whether it has any that no text has."""
        is_clean, has_binary, last = True, False, b""
        for piece in self._pieces(part.body, part.end):
            is_clean = is_clean and self._is_clean(piece)
            has_binary = has_binary or not _is_lines(last + piece)
            last = piece[-1:] if piece.endswith(b"\r") else b""
            yield
        return is_clean, has_binary or last == b"\r"

    def _new_type(self, part: Part) -> bytes:
        """The type with which a part may be encoded; empty if it may be as it is (RFC 2045 6.4)."""
        kind, subtype = self._type(part)
        if kind == b"multipart" and part.kind != OPAQUE:
            return _UNKNOWN_TEXT
        if kind == b"message" and subtype in _GLOBAL:
            return _GLOBAL[subtype]
        if kind == b"multipart" or (kind == b"message" and not subtype.startswith(b"global")):
            raise NotConvertible(f"a part of the type {kind.decode()} must not be encoded")
        return b""

    def _encode(self, part: Part, kind: bytes, has_binary: bool) -> Steps[None]:
        is_text = part.kind == TEXT or bool(kind)
        if is_text and not has_binary and self._is_mostly_ascii(part):
            self._header(part, False, b"quoted-printable", kind)
            yield from self._quoted_printable(part)
        else:
            self._header(part, False, b"base64", kind)
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


def _is_lines(octets: bytes) -> bool:
    """Whether it has neither NULs nor bare CRs or LFs, but for a CR at its end."""
    ends = octets.count(b"\r\n")
    return (
        b"\0" not in octets
        and octets.count(b"\n") == ends
        and octets.count(b"\r") == ends + octets.endswith(b"\r")
    )
