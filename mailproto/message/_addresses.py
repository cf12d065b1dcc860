"""Address lists (RFC 5322 3.4 and its obsolete forms 4.4) as ENVELOPE shows them.

Text that is not a valid address is shown with the words that IMAP servers and clients use for it:
``MISSING_MAILBOX``, ``MISSING_DOMAIN``, ``SYNTAX_ERROR``.
"""

from __future__ import annotations

from mailproto.message._address_parser import (
    GROUP_END,
    AddressParser,
    Mailbox,
    has_fault,
    plain_mailboxes,
    read_simple,
)
from mailproto.message._steps import Steps, finish

__all__ = [
    "ADDRESSES_LIMIT",
    "ADDRESS_FIELD_LIMIT",
    "GROUP_END",
    "Mailbox",
    "address_steps",
    "find_addresses",
    "has_fault",
    "parse_addresses",
    "plain_mailboxes",
    "without_half_address",
]


ADDRESSES_LIMIT = 2000
"""About how many mailboxes of a field are read; reading ends after a whole group or fragment."""

ADDRESS_FIELD_LIMIT = 1 << 17
"""How many octets of a field of addresses are read; half an address at the end is left out."""


def parse_addresses(value: bytes, *, strict: bool = False) -> list[Mailbox]:
    """Parse the mailboxes and groups in a field's value.

    :param strict: for callers that must not miss an address: there is no limit, and text that is not
        an address is an error.  It takes about 2 us for each address, and up to 3 us for each octet of
        what is none; so it is for what was limited before.
    :raises ValueError: only if ``strict``: something in the value is not an address.
    """
    return _parse(value, len(value) + 1 if strict else ADDRESSES_LIMIT, strict=strict)


def find_addresses(value: bytes) -> list[Mailbox]:
    """As `parse_addresses`, but it goes on after text that is not an address, as most mail programs do.

    ``a@b <c@d>`` is the address c@d, although the name is not quoted; a semicolon is as good as a comma.
    """
    return _parse(value, ADDRESSES_LIMIT, goes_on=True)


def address_steps(value: bytes, limit: int = ADDRESSES_LIMIT) -> Steps[list[Mailbox]]:
    """As `parse_addresses`, in steps; about ``limit`` mailboxes are read."""
    found, parser = _begin(value, limit)
    if parser is not None:
        yield from parser.address_list()
    return found


def _parse(value: bytes, limit: int, *, strict: bool = False, goes_on: bool = False) -> list[Mailbox]:
    found, parser = _begin(value, limit, strict, goes_on)
    if parser is not None:
        finish(parser.address_list())
        if strict:
            parser.check()
    return found


def _begin(
    value: bytes, limit: int, strict: bool = False, goes_on: bool = False
) -> tuple[list[Mailbox], AddressParser | None]:
    """Read the mailboxes of the most common form, and make a parser if there is something else."""
    if not strict:
        value = without_half_address(value, ADDRESS_FIELD_LIMIT)
    found: list[Mailbox] = []
    at = read_simple(value, 0, found, limit)
    if len(found) < limit and (value[at:].strip(b" \t\r\n") or not value):
        return found, AddressParser(value, at, found, limit, strict, goes_on)
    return found, None


def without_half_address(value: bytes, limit: int) -> bytes:
    """At most ``limit`` octets of ``value``; half an address would be the address of somebody else."""
    return value if len(value) <= limit else value[: value.rfind(b",", 0, limit) + 1]
