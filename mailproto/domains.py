"""Domain names: A-labels, validity, and which spellings mean the same domain."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Generic, TypeVar

import idna

from mailproto._arguments import wrong_type, wrong_value
from mailproto._ip import ip_address

__all__ = [
    "DomainTable",
    "ascii_domain",
    "canonical_domain",
    "domain_fault",
    "ends_in_number",
    "is_valid_international",
    "literal_address",
    "normal_domain",
]

T = TypeVar("T")

_LONGEST = 512
"""Characters of the longest text that is tried as a domain; as A-labels it may have 253 (RFC 1035
2.3.4)."""

_MAX_LABELS = 127

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_\-]*[A-Za-z0-9_])?")

_NUMBER = re.compile(r"[0-9]+|0[Xx][0-9A-Fa-f]*")

_DOTS = ".\u3002\uff0e\uff61"
"""The characters that separate labels (RFC 3490 3.1)."""


def ascii_domain(domain: str) -> str:
    """``domain`` with A-labels instead of U-labels (RFC 5891 4.4); a domain in ASCII stays as it is.

    :raises UnicodeError: a label has no A-label.
    """
    return domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")


@lru_cache(maxsize=1024)
def canonical_domain(domain: str) -> str:
    """The canonical form of a domain: A-labels in lower case, no trailing dot (RFC 5890 2.3.2.4).

    A label that is not valid in a domain name is only put in lower case, and so is an address literal.
    """
    if domain.isascii() or len(domain) > _LONGEST or sum(map(domain.count, _DOTS)) > _MAX_LABELS:
        return domain.lower().rstrip(".")
    try:
        # Not lowered first: IDNA makes a capital sigma a sigma, but str.lower may make it a final sigma.
        return ascii_domain(domain).lower().rstrip(".")
    except UnicodeError:
        labels = unicodedata.normalize("NFKC", domain).split(".")
        return ".".join(map(_canonical_label, labels)).rstrip(".")


def _canonical_label(label: str) -> str:
    lower = unicodedata.normalize("NFC", label.lower())
    for spelling in (label, lower):  # some labels are only valid in lower case
        with suppress(UnicodeError):
            return ascii_domain(spelling).lower()
    return lower


def is_valid_international(domain: str, *, idna2003: bool = False) -> bool:
    """Whether the U-labels and A-labels of a domain are valid (RFC 5890 2.3.2.1); other labels are not
    checked.

    :param idna2003: also accept A-labels of IDNA 2003 (RFC 3490): domains with emoji have no others.
    """
    if len(domain) > _LONGEST:
        return False
    try:
        for label in domain.lower().split("."):
            if label.startswith("xn--"):
                try:
                    idna.decode(label)
                except UnicodeError:
                    if not idna2003:
                        return False
                    label.encode("ascii").decode("idna")
            elif not label.isascii():
                idna.encode(label, uts46=True)
    except UnicodeError:
        return False
    return True


def ends_in_number(domain: str) -> bool:
    """Whether the last label of a domain in ASCII is a number, as in ``127.1`` and ``0x7f000001``.

    No host has such a name (RFC 1123 2.1): the system reads it as an IPv4 address (inet_aton).
    """
    return bool(_NUMBER.fullmatch(domain.removesuffix(".").rpartition(".")[2]))


def domain_fault(name: str) -> str:
    """Why ``name`` is not a domain name (RFC 1035 2.3.4), as the rest of a sentence; "" if it is one.

    The name may be in any script and end with a dot.  A label may have an underscore, because the names of
    containers do, although host names may not (RFC 1123 2.1).
    """
    if len(name) > 254:
        return "has more than 253 octets"
    try:
        name = ascii_domain(name).removesuffix(".")
    except UnicodeError:
        return "is no domain name"
    if len(name) > 253:
        return "has more than 253 octets"
    for label in name.split("."):
        if not label:
            return "has an empty label"
        if len(label) > 63:
            return "has a label of more than 63 octets"
        if not _LABEL.fullmatch(label):
            return f"has the label {label!r}: only letters, digits and - between them can be in one"
    return ""


def literal_address(domain: str) -> str | None:
    """The IP address in an address literal (RFC 5321 4.1.3), in its usual form; None if it is none."""
    inner = domain[1:-1]
    if domain[:1] != "[" or domain[-1:] != "]" or "%" in inner:
        return None
    is_tagged = inner[:5].lower() == "ipv6:"
    address = ip_address(inner[5:] if is_tagged else inner)
    return None if address is None or (":" in inner) != is_tagged else str(address)


def normal_domain(domain: str) -> str:
    """The one spelling of a domain or an address literal."""
    address = literal_address(domain)
    if address is None:
        return canonical_domain(domain)
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


class DomainTable(Generic[T]):
    """Values by domain.

    :param name: what a key is called in errors.
    :param values: by domain or address literal, in any spelling.  ``*.example.org`` means every domain below
        example.org, but not itself.  A domain beats wildcards, and the longest wildcard beats others.
    :raises TypeError, ValueError: a key is not valid, or two mean the same; the text names it.
    """

    def __init__(self, name: str, values: Mapping[str, T]) -> None:
        self._exact: dict[str, T] = {}
        self._below: dict[str, T] = {}  # by what follows "*."
        for domain, value in values.items():
            self._add(name, domain, value)

    def _add(self, name: str, domain: str, value: T) -> None:
        takes = "a domain such as 'example.org' or '*.example.org'"
        if not isinstance(domain, str):
            raise wrong_type(name, domain, takes)
        bare = domain.removeprefix("*.")
        if bare == "*":
            raise wrong_value(name, domain, takes, "all other domains have the default")
        if not (bare == domain and literal_address(bare)) and (fault := domain_fault(bare)):
            raise wrong_value(name, domain, takes, f"it {fault}")
        table, key = self._exact if bare == domain else self._below, normal_domain(bare)
        if key in table:
            raise wrong_value(name, domain, takes, "it is there twice")
        table[key] = value

    def find(self, domain: str, default: T) -> T:
        """The value for a domain, in any spelling."""
        name = normal_domain(domain)
        if name in self._exact:
            return self._exact[name]
        if self._below and name[:1] != "[":
            while (dot := name.find(".")) >= 0:
                name = name[dot + 1 :]
                if name in self._below:
                    return self._below[name]
        return default
