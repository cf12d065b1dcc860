"""Header blocks (RFC 5322 2.2): finding their ends, and reading their fields.

Real messages have bare LF for CRLF, white space before the colon, lines without a colon (which are
not fields), 8-bit octets, and NULs.  The header block of a part ends only with an empty line.  The
header block of the whole message ends at any line that is not a field (`header_section`); the SMTP
server, which does not read parts, uses the same rule.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from mailproto.content import Octets
from mailproto.message._header_section import BYTE_ORDER_MARK, header_section, plain_header_end
from mailproto.message._steps import Steps, finish

__all__ = [
    "FIELDS_LIMIT",
    "FIELD_LIMIT",
    "HEADER_LIMIT",
    "REMEMBERED",
    "REPEATS_LIMIT",
    "Field",
    "Fields",
    "chosen_fields",
    "end_of_header_steps",
    "ends_of_header",
    "field_ranges",
    "header_fields",
    "limited_fields",
    "part_fields",
    "searched_fields",
    "structural_fields",
    "unfold",
]

HEADER_LIMIT = 1 << 18
"""How many octets of a header block, wherever it stands, are searched for fields; the rest is passed on."""

FIELDS_LIMIT = 10_000
"""How many fields of a header block are read; the rest is only passed on."""

FIELD_LIMIT = 1 << 15
"""How many octets of a field's value are decoded."""

REPEATS_LIMIT = 1000
"""How many repetitions of a field of addresses are read."""

SECTION_LIMIT = 1 << 18
"""How many octets of a message are searched for a line that is not a field and ends the header."""

_PLAIN = 1 << 14
"""How many octets are searched for the end of a plain header, before it is searched for with care."""

REMEMBERED = 256
"""The most octets of the header of a part that is remembered with what was read from it."""

_WINDOW = 1 << 18

_SEARCHED = 1 << 20
"""How many octets are searched for an empty line at a time."""

Fields = dict[bytes, list[bytes]]
"""Values by name in lower case, in the order of the message; line ends in values are bare LF."""

# With "[ \t]?", a value of white space loses only its first octet.
_COLON = rb"[ \t]*+:(?:[ \t]*+(?=[^ \t\n])|[ \t]?+)"
_VALUE = rb"([^\n]*+(?:\n[ \t][^\n]*+)*)"

_CONTENT_NAMES = (
    rb"content-(?:type|transfer-encoding|disposition|id|description|language|location|md5)|mime-version"
)
_ENVELOPE_NAMES = rb"date|subject|from|sender|reply-to|to|cc|bcc|in-reply-to|message-id|references"

_message_fields = re.compile(
    rb"\n(%b|%b)%b%b" % (_ENVELOPE_NAMES, _CONTENT_NAMES, _COLON, _VALUE), re.IGNORECASE
)
_part_fields = re.compile(rb"\n(%b)%b%b" % (_CONTENT_NAMES, _COLON, _VALUE), re.IGNORECASE)

_SEARCHED_NAMES = (b"from", b"to", b"cc", b"bcc", b"subject", b"date")
_searched_fields = {
    name: re.compile(rb"\n(%b)%b%b" % (name, _COLON, _VALUE), re.IGNORECASE) for name in _SEARCHED_NAMES
}

# A field; or, without groups, lines that are not fields.
_any_field = re.compile(
    rb"([^:\n]*+):(?:[ \t]*+(?=[^ \t\r\n])|[ \t]?+)([^\n]*+(?:\n[ \t][^\n]*+)*)(?:\n|\Z)"
    rb"|(?:(?!\r?\n)[^:\n]++\n)+(?:[ \t][^\n]*+(?:\n|\Z))*|[^\n]*+(?:\n|\Z)"
)
_unfold = re.compile(rb"[\r\n]+([ \t]?)").sub


class Field(NamedTuple):
    """One header field.

    :ivar name: as written, without the colon and white space before it.
    :ivar value: the text after the colon and its white space, still folded, without the last CRLF.
    :ivar start: the offset of the name in the content.
    :ivar stop: the offset after the field's last CRLF.
    """

    name: bytes
    value: bytes
    start: int
    stop: int


def ends_of_header(content: Octets, start: int, stop: int) -> int:
    """The offset after the empty line, or before the text, that ends the header block at ``start``.

    :returns: the offset; -1 if there is no end before ``stop``.
    """
    if not start and isinstance(content, bytes):
        end = plain_header_end(content, min(stop, _PLAIN))
        if end >= 0:
            return end
    if stop - start <= _SEARCHED:
        end = _empty_line(content, start, stop)
        return end if start else _end_of_header(content, stop, end)
    return finish(end_of_header_steps(content, start, stop))


def end_of_header_steps(content: Octets, start: int, stop: int) -> Steps[int]:
    """As `ends_of_header`, in steps."""
    end = _empty_line(content, start, min(stop, start + _SEARCHED))
    at = start + _SEARCHED
    while end < 0 and at < stop:
        yield
        end = _empty_line(content, at - 2, min(stop, at + _SEARCHED))
        at += _SEARCHED
    return end if start else _end_of_header(content, stop, end)


def _end_of_header(content: Octets, stop: int, end: int) -> int:
    """The end of the message's own header, if the first empty line ends at ``end``."""
    size = stop if end < 0 else end
    block = content[: min(size, SECTION_LIMIT)]
    if len(block) == SECTION_LIMIT:
        block = block[: block.rfind(b"\n") + 1]  # the last line may be unfinished
    fields = header_section(block).end
    return end if block[fields:] in (b"", b"\r\n", b"\n") else fields


def _empty_line(content: Octets, start: int, stop: int) -> int:
    """The offset after the empty line that ends the header block; -1 if there is none before ``stop``."""
    before = start - 1  # for an empty first line, the line end before the block is needed
    if start == 0:
        head = content[: min(2, stop)]
        if head[:1] == b"\n":
            return 1
        if head == b"\r\n":
            return 2
        before = 0
    crlf = content.find(b"\n\r\n", before, stop)
    lf = content.find(b"\n\n", before, stop if crlf < 0 else crlf + 1)
    if lf >= 0:
        return lf + 2
    return crlf + 3 if crlf >= 0 else -1


def structural_fields(content: Octets, start: int, stop: int, *, message: bool) -> Fields:
    """The fields for BODYSTRUCTURE; and, if ``message``, those for ENVELOPE and threads."""
    found: Fields = {}
    for name, value in _matches(_message_fields if message else _part_fields, content, start, stop):
        name = name.lower()
        if name in found:
            found[name].append(value)
        else:
            found[name] = [value]
    return found


def part_fields(block: bytes) -> Fields:
    """The fields for BODYSTRUCTURE of the header block of a part."""
    return structural_fields(b"\n" + block, 1, len(block) + 1, message=False)  # not at the beginning


def searched_fields(content: Octets, start: int, stop: int, name: bytes) -> list[bytes] | None:
    """The values of a field of `_SEARCHED_NAMES`, as `structural_fields` gives them; of any other, None."""
    pattern = _searched_fields.get(name)
    return None if pattern is None else [value for _, value in _matches(pattern, content, start, stop)]


def chosen_fields(content: Octets, start: int, stop: int, names: tuple[bytes, ...]) -> Fields:
    """Some of the fields that `structural_fields` gives for a message; few are found sooner than all."""
    found: Fields = {}
    for name, value in _matches(_pattern(names), content, start, stop):
        found.setdefault(name.lower(), []).append(value)
    return found


@lru_cache(100)
def _pattern(names: tuple[bytes, ...]) -> re.Pattern[bytes]:
    return re.compile(rb"\n(%b)%b%b" % (b"|".join(names), _COLON, _VALUE), re.IGNORECASE)


def _matches(
    pattern: re.Pattern[bytes], content: Octets, start: int, stop: int
) -> Iterable[tuple[bytes, bytes]]:
    """The names and values that ``pattern`` finds in a header block."""
    block = content[start : min(stop, start + HEADER_LIMIT)]
    if stop - start > HEADER_LIMIT:
        block = block[: _last_boundary(block) or None]  # half a field would be another one
    block = block.replace(b"\r\n", b"\n")
    block = b"\n" + (block if start else block.removeprefix(BYTE_ORDER_MARK))
    return pattern.findall(block) if len(block) <= _FEW else _some(pattern, block)


_FEW = FIELDS_LIMIT * 4
"""So many octets have no more than `FIELDS_LIMIT` fields."""


def _some(pattern: re.Pattern[bytes], block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """At most `FIELDS_LIMIT` names and values in a large block."""
    for match in itertools.islice(pattern.finditer(block), FIELDS_LIMIT):
        yield match[1], match[2]


def header_fields(content: Octets, start: int = 0, stop: int | None = None) -> Iterator[Field]:
    """The fields of the header block at ``start``, in order; lines that are not fields are left out.

    It reads a window at a time, so a header block of any size needs little memory.  There is no limit: a
    reader of strangers' messages stops at `HEADER_LIMIT`, as `limited_fields` does.

    :param stop: the latest end of the block; if None, only an empty line ends it.
    """
    if stop is None:
        stop = ends_of_header(content, start, len(content))
        stop = len(content) if stop < 0 else stop
    window = _WINDOW
    while start < stop:
        block = content[start : min(start + window, stop)]
        cut = len(block) if start + window >= stop else _last_boundary(block)
        if cut == 0:
            window *= 2
            continue
        window = _WINDOW
        at = 0
        while at < cut:
            match = _any_field.match(block, at, cut)
            if match is None or match.end() == at:  # pragma: no cover - the pattern matches any line
                return
            name, value = match.groups()
            if name is not None:
                if value[-1:] == b"\r":
                    value = value[:-1]
                name = name.rstrip(b" \t")
                if not start + at:
                    name = name.removeprefix(BYTE_ORDER_MARK)
                yield Field(name, value, start + at, start + match.end())
            elif match[0] in (b"\r\n", b"\n"):
                return
            at = match.end()
        start += cut


def limited_fields(content: Octets, start: int, stop: int) -> Iterator[Field]:
    """`header_fields`, at most `FIELDS_LIMIT` of them, in at most `HEADER_LIMIT` octets."""
    fields = header_fields(content, start, min(stop, start + HEADER_LIMIT))
    return itertools.islice(fields, FIELDS_LIMIT)


def field_ranges(block: bytes, start: int) -> Iterator[tuple[bytes, int, int]]:
    """The fields of a header block that is in memory, as `limited_fields` finds them.

    :param start: where the block begins; 0 only at the beginning of a message.
    :returns: names in lower case, each with the start and the end of the field's lines in ``block``.
    """
    left = FIELDS_LIMIT
    for match in _any_field.finditer(block, start):
        name = match[1]
        if name is None:
            if match[0] in (b"\r\n", b"\n", b""):
                return
            continue
        if not left:
            return
        left -= 1
        first = match.start()
        if not first:
            name = name.removeprefix(BYTE_ORDER_MARK)
        yield name.rstrip(b" \t").lower(), first, match.end()


def _last_boundary(block: bytes) -> int:
    """The offset of the last line in ``block`` that begins a field; 0 if only the first line does."""
    at = len(block)
    while (at := block.rfind(b"\n", 0, at)) >= 0:
        if block[at + 1 : at + 2] not in (b"", b" ", b"\t"):
            return at + 1
    return 0


def unfold(value: bytes) -> bytes:
    """``value`` on one line: line ends are removed, and the white space after them is kept."""
    if b"\n" not in value and b"\r" not in value:
        return value
    return _unfold(lambda match: match[1] or b" ", value.rstrip(b"\r\n"))
