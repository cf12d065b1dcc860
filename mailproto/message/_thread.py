"""Keys for SORT and THREAD (RFC 5256, RFC 5957), made from header values."""

from __future__ import annotations

import re
from functools import lru_cache

from mailproto.message._addresses import Mailbox, parse_addresses
from mailproto.message._encoded_words import decode_header

__all__ = [
    "base_subject",
    "base_subject_and_reply",
    "display_name",
    "is_reply",
    "shown_name",
    "sort_mailbox",
    "sorted_name",
]

SUBJECT_LIMIT = 4096
"""How many octets of a subject are read."""

_spaces = re.compile(r"[ \t\r\n]+").sub
_plain = re.compile(rb"([Rr][Ee]: )?([!-'*-9;-Z\\^-~]+(?: [!-'*-9;-Z\\^-~]+)*)").fullmatch
"""A subject that is its own base subject, or that of a reply with it; "=?" is checked separately."""
_blob = re.compile(r"\[[^\[\]]*\][ \t]*").match
_refwd = re.compile(r"(?:re|fwd?)[ \t]*(?:\[[^\[\]]*\][ \t]*)?:", re.IGNORECASE).match


def base_subject(subject: bytes) -> str:
    """The base subject (RFC 5256 2.1) of a Subject field's value; compare it with `casemap`."""
    return base_subject_and_reply(subject)[0]


def is_reply(subject: bytes) -> bool:
    """Whether it is the subject of a reply or forward: more than blanks is removed for the base subject."""
    return base_subject_and_reply(subject)[1]


def base_subject_and_reply(subject: bytes) -> tuple[str, bool]:
    """`base_subject` and `is_reply` together."""
    return (_remembered if len(subject) <= _REMEMBERED_OCTETS else _base_and_reply)(subject)


def _base_and_reply(subject: bytes) -> tuple[str, bool]:
    if len(subject) <= SUBJECT_LIMIT and b"=?" not in subject and (plain := _plain(subject)):
        return plain[2].decode("ascii"), plain[1] is not None
    text = _spaces(" ", decode_header(subject[:SUBJECT_LIMIT]))
    start, stop, reply = 0, len(text), False
    while True:
        while stop > start:  # step 2
            if text[stop - 1] == " ":
                stop -= 1
            elif text[max(start, stop - 5) : stop].lower() == "(fwd)":
                stop -= 5
                reply = True
            else:
                break
        while start < stop:  # steps 3 to 5
            if text[start] == " ":
                start += 1
                continue
            after, last_blob = start, start
            while (blob := _blob(text, after, stop)) is not None:
                last_blob, after = after, blob.end()
            if (match := _refwd(text, after, stop)) is not None:
                start, reply = match.end(), True
                continue
            # No reply mark follows: remove the blobs, except the last one if nothing else is left.
            kept = after if after < stop else last_blob
            if kept == start:
                break
            start = kept
        if text[start : min(start + 5, stop)].lower() == "[fwd:" and text[stop - 1] == "]":  # step 6
            start, stop, reply = start + 5, stop - 1, True
            continue
        return text[start:stop], reply


_REMEMBERED_OCTETS = 1 << 8

_remembered = lru_cache(1 << 10)(_base_and_reply)
"""The latest subjects: each is read for threads, and again for SORT."""


def sort_mailbox(value: bytes | None) -> str:
    """The local part of the first address, for SORT by FROM, TO and CC; compare it with `casemap`."""
    return sorted_name(_first(value))


def sorted_name(mailbox: Mailbox | None) -> str:
    """What `sort_mailbox` makes of the first address."""
    return "" if mailbox is None or mailbox.local is None else decode_header(mailbox.local)


def display_name(value: bytes | None) -> str:
    """The key of SORT=DISPLAY (RFC 5957 3): the first address' display name, or its ``local@host``."""
    return shown_name(_first(value))


def shown_name(mailbox: Mailbox | None) -> str:
    """What `display_name` makes of the first address."""
    if mailbox is None:
        return ""
    if mailbox.name and (name := decode_header(mailbox.name)):
        return name
    local = mailbox.local or b""
    return decode_header(local + b"@" + mailbox.host if mailbox.host else local)


def _first(value: bytes | None) -> Mailbox | None:
    found = parse_addresses(value[:65536]) if value else []
    return found[0] if found else None
