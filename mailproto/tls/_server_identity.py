"""Compares a server's certificate with the server's name (RFC 9525 6)."""

from __future__ import annotations

import ipaddress
import re

from OpenSSL.crypto import FILETYPE_ASN1, X509, dump_certificate

from mailproto.domains import ascii_domain, ends_in_number
from mailproto.tls._subject_alt_names import subject_alt_names

__all__ = ["ServerIdentity"]

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*{_LABEL}")
"""A host name (RFC 1123 2.1) in lower case; also matches some forms of IP addresses."""

_SHOWN = 5
"""The most names of a wrong certificate that an error shows."""


class ServerIdentity:
    """The name or address of a server, to compare with certificates.

    A domain name is compared with dNSNames, and an IP address with iPAddresses.  Nothing else counts:
    neither the subject's common name nor an address written as a name.  The comparison is octet for octet,
    so that nothing in a certificate has to be parsed further.

    :param hostname: a domain name in any script, or an IP address.
    :raises ValueError: ``hostname`` is neither.

    :ivar hostname: in the form that certificates use.
    :ivar server_name: for SNI; None for an address, because SNI takes no addresses (RFC 6066 3).
    """

    def __init__(self, hostname: str) -> None:
        address = _address(hostname)
        self.server_name: bytes | None = None
        if address is not None:
            self.hostname = str(address)
            # An IPv4 address does not match the IPv6 address to which it is mapped.
            self._good = {address.packed}
        else:
            self.hostname = _a_labels(hostname)
            self.server_name = self.hostname.encode("ascii")
            self._good = {self.server_name}
            # A wildcard must be the whole left-most label (RFC 9525 6.3), and may not cover a whole
            # top-level domain.
            domain = self.server_name.partition(b".")[2]
            if b"." in domain:
                self._good.add(b"*." + domain)

    def mismatch(self, certificate: X509) -> str:
        """Why ``certificate`` is not for this server, in words; "" if it is."""
        try:
            names = subject_alt_names(dump_certificate(FILETYPE_ASN1, certificate))
        except ValueError as error:
            return f"the names in it cannot be read: {error}"
        if self.server_name is None:
            is_good = not self._good.isdisjoint(names.ip)
        else:
            is_good = not self._good.isdisjoint(map(bytes.lower, names.dns))
        return "" if is_good else f"it is for {_shown(names.dns, names.ip)}"


def _address(hostname: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        # Without the zone, which has a meaning only on this machine (RFC 4007 11.2).
        return ipaddress.ip_address(ipaddress.ip_address(hostname).packed)
    except ValueError:
        return None


def _a_labels(hostname: str) -> str:
    """:raises ValueError:"""
    # Certificates have no final dot (RFC 6066 3).
    name = ascii_domain(hostname).lower().removesuffix(".")
    if not _NAME.fullmatch(name) or ends_in_number(name):
        raise ValueError(f"{hostname!r} is neither a host's name nor an address")
    return name


def _shown(dns: tuple[bytes, ...], ip: tuple[bytes, ...]) -> str:
    """The certificate's names on one line, safe to show."""
    names = [
        *(ascii(octets.decode("latin-1"))[1:-1][:100] for octets in dns[:_SHOWN]),
        *map(_address_shown, ip[:_SHOWN]),
    ]
    if not names:
        return "no host at all"
    rest = len(dns) + len(ip) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _address_shown(octets: bytes) -> str:
    try:
        return str(ipaddress.ip_address(octets))
    except ValueError:
        return octets[:16].hex()
