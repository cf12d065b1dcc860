"""Message-IDs in the fields Message-ID, In-Reply-To and References (RFC 5322 3.6.4)."""

from __future__ import annotations

import re

from mailproto.message._fields import unfold
from mailproto.message._mime import STRUCTURED_LIMIT
from mailproto.message._tokens import comment_end, without_comments

__all__ = ["IDS_LIMIT", "first_and_nearest_ids", "ids_text", "message_id", "message_ids", "references"]

IDS_LIMIT = 1000
"""The most Message-IDs of a field; if there are more, the last ones count, which are the nearest."""

_LOOKED_AT = 16_384  # octets of References; of a longer field, the beginning and the end are read

_ids = re.compile(rb"<([^<>]+)>").findall
_plain_ids = re.compile(rb'<([^\x00-\x20<>()"\x7f]+)>').findall
_only_an_id = re.compile(rb"<[^\x00-\x20<>()\x7f]*>").fullmatch
_id_or_comment = re.compile(rb"<([^<>]*)>|(\()").search
_id_comment_or_quoted = re.compile(rb'<([^<>]*)>|(\()|"[^"\\]*+(?:\\.[^"\\]*+)*("?)', re.DOTALL).search
_blanks = re.compile(rb"[ \t\r\n]+").sub
# RFC 5322 4.4 and 4.5.4 allow blanks and comments around the dots and the "@" of an id.
_blanks_in_id = re.compile(
    rb'("[^"\\]*+(?:\\.[^"\\]*+)*"?)|([.@]?)[ \t\r\n]++([.@]?)[ \t\r\n]*+', re.DOTALL
).sub
_has_blanks = re.compile(rb"[ \t\r\n(]").search
_quoted_local = re.compile(rb'"((?:[^"\\]|\\.)*)"(@.*)', re.DOTALL).fullmatch
_needs_no_quotes = re.compile(rb"[^\x00-\x20()<>@,;:\\\"\[\]\x7f]+").fullmatch
_escaped = re.compile(rb"\\(.)", re.DOTALL).sub


def ids_text(value: bytes) -> bytes:
    """A field's value as ENVELOPE shows it: without folds and comments, which are not part of an id.

    Other text ("Your message of ..." in In-Reply-To) is kept, with single spaces.  A value of more
    than `STRUCTURED_LIMIT` octets is only unfolded.
    """
    if _only_an_id(value):
        return value
    if len(value) > STRUCTURED_LIMIT:
        return _blanks(b" ", value).strip(b" ")
    pieces: list[bytes] = []
    between: list[bytes] = []
    at = start = 0
    search, reads_comments = _id_comment_or_quoted, True
    while match := search(value, at):
        at = match.end()
        if match[1] is not None:
            between.append(value[start : match.start()])
            pieces += (_blanks(b" ", b"".join(between)), b"<" + _clean(match[1]) + b">")
            between.clear()
            start = at
        elif match[2] is None:
            if not match[3]:  # a single quotation mark
                at, search = match.start() + 1, _id_or_comment
        elif reads_comments:
            stop = comment_end(value, match.start())
            if stop < 0:
                reads_comments = False
            else:
                between += (value[start : match.start()], b" ")
                at = start = stop
    between.append(value[start:])
    pieces.append(_blanks(b" ", b"".join(between)))
    return b"".join(pieces).strip(b" ")


def message_ids(value: bytes) -> list[bytes]:
    """The Message-IDs in a field's value, in order, normalised, without brackets."""
    return [found for found in map(_normalised, _ids(value)[-IDS_LIMIT:]) if found]


def first_and_nearest_ids(value: bytes, limit: int) -> list[bytes]:
    """`message_ids` without repetitions; if there are more than ``limit``, the first and the last ones.

    Only the beginning and the end of a long field are read.
    """
    if len(value) > _LOOKED_AT:
        # The piece in between ends no id, so no id is made of two halves.
        value = value[: _LOOKED_AT // 4] + b" < " + value[-(_LOOKED_AT - _LOOKED_AT // 4) :]
    found = _plain_ids(value)
    is_plain = len(found) == value.count(b"<")  # each id is one that `_normalised` does not change
    if not is_plain:
        found = _ids(value)
    if len(found) > limit:
        found = found[:1] + found[1 - limit :]
    return list(dict.fromkeys(found if is_plain else filter(None, map(_normalised, found))))


def message_id(value: bytes) -> bytes | None:
    """The first Message-ID of a field, or None; it is looked for in 16 KB."""
    if _only_an_id(value) and b'"' not in value:
        return value[1:-1] or None
    return next(filter(None, map(_normalised, _ids(value[:_LOOKED_AT]))), None)


def references(references: bytes | None, in_reply_to: bytes | None) -> list[bytes]:
    """The ancestors of a message, oldest first (RFC 5256 3, THREAD=REFERENCES, step 1)."""
    found = message_ids(references) if references else []
    if not found and in_reply_to and (parent := message_id(in_reply_to)):
        return [parent]
    return found


def _clean(found: bytes) -> bytes:
    """The text in the brackets without folds and comments; other blanks become single blanks."""
    if not _has_blanks(found):
        return found
    found = without_comments(unfold(found), b"")
    if not _has_blanks(found):
        return found
    return _blanks_in_id(lambda match: match[1] or match[2] + match[3] or b" ", found).strip(b" ")


def _normalised(found: bytes) -> bytes:
    """An id without needless quotes around its local part (RFC 5256 3); empty if it is not an id."""
    found = _clean(found)
    if found[:1] == b'"' and (match := _quoted_local(found)):
        local = _escaped(rb"\1", match[1])
        if _needs_no_quotes(local):
            return local + match[2]
    elif b" " in found and b"@" not in found:
        return b""
    return found
