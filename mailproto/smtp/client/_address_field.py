"""A header field of addresses, written so that none of them is broken (RFC 5322 3.4)."""

from __future__ import annotations

import re
from email.header import Header

from mailproto.message import decode_header, parse_addresses
from mailproto.model import Address
from mailproto.smtp.client._message import to_address
from mailproto.smtp.wire import ascii_domain

__all__ = ["AddressField"]

_PLAIN = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?: [A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*")


class AddressField:
    """What stands in it.

    :param value: as it stands behind the name, folded or not, in UTF-8.
    :raises ValueError: something in it is no address.

    :ivar addresses: in order.
    """

    def __init__(self, value: bytes) -> None:
        self.addresses: list[Address] = []
        self._entries: list[tuple[str, Address | None]] = []  # (name, address); the name of a group; its end
        for mailbox in parse_addresses(value):
            if mailbox.local is None:
                self._entries.append(("", None))
            elif mailbox.host is None:
                self._entries.append((decode_header(mailbox.local), None))
            elif mailbox.local == b"MISSING_MAILBOX" or mailbox.host == b"MISSING_DOMAIN":
                raise ValueError("not an address")
            else:
                # By the stricter grammar of SMTP.
                address = to_address(str(Address(mailbox.local.decode(), mailbox.host.decode())))
                self.addresses.append(address)
                self._entries.append((decode_header(mailbox.name or b""), address))

    @property
    def needs_utf8(self) -> bool:
        """Whether it cannot be written in ASCII: a local part has no other form (RFC 6532 3.2)."""
        return not all(address.local.isascii() for address in self.addresses)

    def render(self, *, utf8: bool) -> str:
        """The value, folded: without ``utf8`` with A-labels, and encoded words in names alone.

        An encoded word is never part of an address (RFC 2047 5).
        """
        value = separator = ""
        in_group = False
        for name, address in self._entries:
            if address is not None:
                value += separator + _mailbox(name, address, utf8)
                separator = ",\r\n "
            elif in_group:
                value += ";"
                in_group, separator = False, ",\r\n "
            else:
                value += f"{separator}{_phrase(name, utf8)}:"
                in_group, separator = True, " "
        return value


def _mailbox(name: str, address: Address, utf8: bool) -> str:
    if not utf8:
        address = Address(address.local, ascii_domain(address.domain))
    return f"{_phrase(name, utf8)} <{address}>" if name else str(address)


def _phrase(text: str, utf8: bool) -> str:
    if _PLAIN.fullmatch(text) and "=?" not in text:
        return text
    if utf8 or (text.isascii() and "=?" not in text):
        return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
    return Header(text, "utf-8").encode(linesep="\r\n")
