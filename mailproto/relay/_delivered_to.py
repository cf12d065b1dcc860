"""Delivered-To, by which a server knows mail that it has sent on itself (RFC 9228)."""

from __future__ import annotations

import re

from mailproto.accounts import account_key
from mailproto.content import Content
from mailproto.domains import canonical_domain
from mailproto.model import Address

__all__ = ["MAX_FIELDS", "delivered_to", "earlier_deliveries", "is_in"]

MAX_FIELDS = 100
"""The most fields that are read.  With more, the message also has too many Received fields."""

_FIELD = re.compile(rb"^delivered-to[ \t]*:[ \t]*([^\r\n]{1,1000})", re.IGNORECASE | re.MULTILINE)


def delivered_to(address: Address) -> bytes:
    """The field for an address, with CRLF."""
    return f"Delivered-To: {_shown(address)}\r\n".encode()


def earlier_deliveries(content: Content) -> frozenset[str]:
    """The keys (`is_in`) of the addresses in a message's Delivered-To fields.

    Of a content in a file only the octets in memory are searched: a server keeps the whole header there.
    """
    prefix = content.prefix
    end = prefix.find(b"\r\n\r\n")
    header = prefix if end < 0 else prefix[: end + 2]
    found = set()
    for match in _FIELD.finditer(header):
        found.add(account_key(match[1].decode("utf-8", "replace").strip(" \t<>")))
        if len(found) >= MAX_FIELDS:
            break
    return frozenset(found)


def is_in(address: Address, earlier: frozenset[str]) -> bool:
    """Whether a message was sent on for this address before."""
    return bool(earlier) and account_key(_shown(address)) in earlier


def _shown(address: Address) -> str:
    return str(Address(address.local, canonical_domain(address.domain)))
