"""The header in which a proxy names its client: HAProxy's PROXY protocol, versions 1 and 2.

Sans-IO.  "2.1" and "2.2" are sections of HAProxy's ``proxy-protocol.txt``.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from dataclasses import dataclass

from mailproto.errors import WireError

__all__ = ["MAX_PROXY_HEADER", "ProxyHeader", "ProxyHeaderError", "parse_proxy_header"]

MAX_PROXY_HEADER = 4096
"""Octets after the fixed part of a version 2 header: addresses and other fields."""

_V1 = b"PROXY "
_V1_LENGTH = 107
"""The longest line of version 1, with its CRLF (2.1)."""

_V1_LINE = re.compile(
    rb"PROXY (TCP4|TCP6) ([0-9A-Fa-f:.]{2,45}) ([0-9A-Fa-f:.]{2,45}) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})"
)
_V1_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: .*)?", re.DOTALL)

_V2 = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_FIXED = 16
_V2_LOCAL, _V2_PROXY = 0x20, 0x21

_V2_FAMILIES = {
    0x00: 0,
    0x11: 12,
    0x12: 12,
    0x21: 36,
    0x22: 36,
    0x31: 216,
    0x32: 216,
}
"""The defined families and protocols (2.2), and the length of their addresses in octets."""

_V2_ADDRESSES = {0x11: struct.Struct(">4s4sHH"), 0x21: struct.Struct(">16s16sHH")}
"""The formats of the addresses for TCP."""


class ProxyHeaderError(WireError):
    """A proxy sent no valid header: nothing after it can be trusted."""

    fatal = True


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """The content of a header.

    :ivar source: (IP address, port) of the proxy's client; None if the proxy names none.
    :ivar destination: (IP address, port) to which the client connected.
    :ivar is_own: whether there is no client: the connection is the proxy's own (a health check).
        Version 1 cannot express this; there ``source`` may be the proxy's end of the connection.
    """

    source: tuple[str, int] | None = None
    destination: tuple[str, int] | None = None
    is_own: bool = False


def parse_proxy_header(data: bytes, limit: int = MAX_PROXY_HEADER) -> tuple[ProxyHeader, int] | None:
    """Parse the header at the beginning of ``data``.

    :param limit: octets after the fixed part of version 2.
    :returns: the header and its length, or None if more octets are needed.
    :raises ProxyHeaderError: as soon as the data cannot become a valid header.
    """
    if data.startswith(_V1):
        return _parse_v1(data)
    if data.startswith(_V2):
        return _parse_v2(data, limit)
    if _V1.startswith(data) or _V2.startswith(data):
        return None
    raise ProxyHeaderError("no PROXY header")


def _parse_v1(data: bytes) -> tuple[ProxyHeader, int] | None:
    end = data.find(b"\r\n", 0, _V1_LENGTH)
    if end < 0:
        if len(data) >= _V1_LENGTH:
            raise ProxyHeaderError("a PROXY line that is too long")
        return None
    line = data[:end]
    if _V1_UNKNOWN.fullmatch(line):
        return ProxyHeader(), end + 2
    match = _V1_LINE.fullmatch(line)
    if match is None:
        raise ProxyHeaderError("a bad PROXY line")
    family, *words = (word.decode("ascii") for word in match.groups())
    address_type = ipaddress.IPv4Address if family == "TCP4" else ipaddress.IPv6Address
    try:
        source, destination = (str(address_type(word)) for word in words[:2])
    except ValueError:
        raise ProxyHeaderError("a bad address in the PROXY line") from None
    ports = int(words[2]), int(words[3])
    if max(ports) > 0xFFFF:
        raise ProxyHeaderError("a bad port in the PROXY line")
    return ProxyHeader((source, ports[0]), (destination, ports[1])), end + 2


def _parse_v2(data: bytes, limit: int) -> tuple[ProxyHeader, int] | None:
    if len(data) < _V2_FIXED:
        return None
    command, family, length = struct.unpack_from(">BBH", data, len(_V2))
    if command not in (_V2_LOCAL, _V2_PROXY):
        raise ProxyHeaderError("a bad version or command in the PROXY header")
    if length > limit:
        raise ProxyHeaderError("a PROXY header that is too long")
    if command == _V2_PROXY:
        if family not in _V2_FAMILIES:
            raise ProxyHeaderError("a bad address family in the PROXY header")
        if length < _V2_FAMILIES[family]:
            raise ProxyHeaderError("a PROXY header that is too short for its addresses")
    end = _V2_FIXED + length
    if len(data) < end:
        return None
    layout = _V2_ADDRESSES.get(family)
    if command == _V2_LOCAL:
        return ProxyHeader(is_own=True), end
    if layout is None:
        return ProxyHeader(), end
    # The fields after the addresses (TLVs) are ignored.
    source, destination, source_port, destination_port = layout.unpack_from(data, _V2_FIXED)
    return (
        ProxyHeader(
            (str(ipaddress.ip_address(source)), source_port),
            (str(ipaddress.ip_address(destination)), destination_port),
        ),
        end,
    )
