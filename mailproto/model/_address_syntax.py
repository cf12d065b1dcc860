"""The syntax of addresses as people write them (RFC 5321 4.1.2, RFC 6531 3.3), without angle brackets.

`mailproto.smtp.wire` parses paths in commands, which have more forms and other errors.
"""

from __future__ import annotations

import ipaddress
import re

from mailproto._arguments import wrong_type, wrong_value
from mailproto._invisible import invisible_in_address

__all__ = ["DOT_STRING", "split_address"]

_MAX_ADDRESS = 254
"""Octets of an address: a path of 256 without its angle brackets (RFC 5321 4.5.3.1.3)."""

_MAX_LOCAL_PART = 64
"""Octets of a local part, as written (RFC 5321 4.5.3.1.1)."""

_MAX_DOMAIN = 255
"""Octets of a domain (RFC 5321 4.5.3.1.2)."""

_QUOTED_STRING = re.compile(r'"((?:[ !#-\[\]-~\xa0-\U0010ffff]|\\[ -~])*)"')
_QUOTED_PAIR = re.compile(r"\\(.)")
_LABEL = re.compile(
    r"[A-Za-z0-9_\xa0-\U0010ffff](?:[A-Za-z0-9_\xa0-\U0010ffff\-]{0,61}[A-Za-z0-9_\xa0-\U0010ffff])?"
)
DOT_STRING = re.compile(r"[^\x00-\x20\x7f()<>\[\]:;@\\,.\"]+(?:\.[^\x00-\x20\x7f()<>\[\]:;@\\,.\"]+)*")


def split_address(text: str) -> tuple[str, str]:
    """The local part, without quotes, and the domain; see `Address.parse`.

    :raises ValueError: it is not an address; the text says why.
    """
    if not isinstance(text, str):
        raise wrong_type("an address", text, "a str such as 'a@example.org'")
    if not text or text.lower() == "postmaster":
        return text, ""
    local, at, domain = text.rpartition("@")
    domain = domain.removesuffix(".")
    fault = _local_part_fault(local) or _domain_fault(domain) if at else "there is no @ in it"
    if not fault and _octets(f"{local}@{domain}") > _MAX_ADDRESS:
        fault = f"it is longer than {_MAX_ADDRESS} octets"
    if not fault and (unseen := invisible_in_address(text)):
        fault = f"it has {unseen}, which cannot be seen"
    if fault:
        raise wrong_value("an address", text, "a str such as 'a@example.org'", fault)
    quoted = _QUOTED_STRING.fullmatch(local)
    return _QUOTED_PAIR.sub(r"\1", quoted[1]) if quoted else local, domain


def _octets(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _local_part_fault(local: str) -> str:
    """What is wrong with the part before the ``@``; "" for nothing."""
    if not local:
        return "there is nothing before the @"
    if _octets(local) > _MAX_LOCAL_PART:
        return f"the part before the @ is longer than {_MAX_LOCAL_PART} octets"
    if not _is_unicode(local) or not (DOT_STRING.fullmatch(local) or _QUOTED_STRING.fullmatch(local)):
        return "the part before the @ needs quotes, or has a character that none can have"
    return ""


def _domain_fault(domain: str) -> str:
    """What is wrong with the part after the ``@``; "" for nothing."""
    if not domain:
        return "there is nothing after the @"
    if domain[0] == "[":
        return (
            ""
            if _is_literal(domain)
            else "it has no valid address literal, such as [192.0.2.1] or [IPv6:::1]"
        )
    if _octets(domain) > _MAX_DOMAIN:
        return f"its domain is longer than {_MAX_DOMAIN} octets"
    if not _is_unicode(domain) or not all(map(_LABEL.fullmatch, domain.split("."))):
        return "its domain is not valid"
    return ""


def _is_unicode(text: str) -> bool:
    """Whether it is Unicode text without C1 controls."""
    return text.isascii() or not any("\x80" <= char < "\xa0" or "\ud800" <= char < "\ue000" for char in text)


def _is_literal(domain: str) -> bool:
    """Whether it is an address literal (RFC 5321 4.1.3)."""
    inner = domain[1:-1]
    try:
        if domain[-1:] != "]" or not inner.isascii() or "%" in inner:
            return False
        if inner[:5].upper() == "IPV6:":
            ipaddress.IPv6Address(inner[5:])
        else:
            ipaddress.IPv4Address(inner)
    except ValueError:
        return False
    return True
