"""Addresses of a header as text, for applications."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from mailproto.message._addresses import (
    ADDRESS_FIELD_LIMIT,
    ADDRESSES_LIMIT,
    Mailbox,
    find_addresses,
    has_fault,
    without_half_address,
)
from mailproto.message._encoded_words import decode_header
from mailproto.message._fields import REPEATS_LIMIT, unfold
from mailproto.message._one_line import one_line

__all__ = ["NamedAddress", "named_addresses"]

_dot_string = re.compile(
    r"[^\x00-\x20()<>@,;:\\\".\[\]\x7f]+(?:\.[^\x00-\x20()<>@,;:\\\".\[\]\x7f]+)*"
).fullmatch
_plain_name = re.compile(r"[^()<>@,;:\\\".\[\]]*").fullmatch
_quoted = re.compile(r'(["\\])').sub


class NamedAddress(NamedTuple):
    """An address with the name beside it; ``str`` writes both, as in a header.

    :ivar name: the display name, decoded, on one line; "" if there is none.  Anybody can write any name.
    :ivar address: such as ``alice@example.org``; the local part is quoted if it must be.
    """

    name: str
    address: str

    def __str__(self) -> str:
        if not self.name:
            return self.address
        name = self.name if _plain_name(self.name) else f'"{_escaped(self.name)}"'
        return f"{name} <{self.address}>"


def _escaped(text: str) -> str:
    return _quoted(r"\\\1", text)


def named_addresses(values: Sequence[bytes]) -> list[NamedAddress]:
    """The addresses in some fields, also those in groups; anything that is not an address is left out."""
    found: list[NamedAddress] = []
    octets_left = ADDRESS_FIELD_LIMIT
    for value in values[:REPEATS_LIMIT]:
        value = without_half_address(value, octets_left)
        octets_left -= len(value)
        if value:
            found += filter(None, map(_named_address, find_addresses(value)))
        if octets_left <= 0 or len(found) >= ADDRESSES_LIMIT:
            break
    return found[:ADDRESSES_LIMIT]


def _named_address(mailbox: Mailbox) -> NamedAddress | None:
    if not mailbox.local or not mailbox.host or has_fault(mailbox):
        return None
    try:
        local, host = unfold(mailbox.local).decode(), mailbox.host.decode()
    except UnicodeDecodeError:
        return None
    if one_line(local) != local or one_line(host) != host:
        return None
    if not _dot_string(local):
        local = f'"{_escaped(local)}"'
    return NamedAddress(one_line(decode_header(mailbox.name or b"")).strip(), f"{local}@{host}")
