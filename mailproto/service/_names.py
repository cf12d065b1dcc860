"""Account and domain names, and passwords, as people type them."""

from __future__ import annotations

import re
import unicodedata

from mailproto.accounts import invisible_in
from mailproto.domains import canonical_domain, is_valid_international

__all__ = ["account_name", "domain_name", "new_password"]

MAX_LOCAL = 64
"""Octets of a local part (RFC 5321 4.5.3.1.1)."""

MAX_DOMAIN = 255
"""Octets of a domain (RFC 5321 4.5.3.1.2)."""

# Not a check of the grammar: only of what could never be addressed, or would look like something else.
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f<>@,;:\"\\/]")

_DOTS = re.compile("[\u3002\uff0e\uff61]")
"""What keyboards of East Asia type for a dot (RFC 5895 2)."""


def domain_name(text: str) -> str:
    """A domain without its trailing dot, composed (NFC), as it was typed otherwise.

    :raises ValueError: for what is none.
    """
    _check_visible(f"@{text}", text)
    domain = _DOTS.sub(".", unicodedata.normalize("NFC", text)).removesuffix(".")
    labels = domain.split(".")
    if (
        not all(labels)
        or _FORBIDDEN.search(unicodedata.normalize("NFKC", domain))
        or len(canonical_domain(domain)) > MAX_DOMAIN
        or not is_valid_international(domain)
    ):
        raise ValueError(f"not a domain name: {text!r}")
    return domain


def account_name(text: str) -> str:
    """``NAME@DOMAIN``, without a trailing dot, composed (NFC).

    :raises ValueError: for what is none.
    """
    _check_visible(text, text)
    local, at, domain = unicodedata.normalize("NFC", text).rpartition("@")
    spelling = unicodedata.normalize("NFKC", local)
    if not at or not local or _FORBIDDEN.search(spelling) or len(local.encode()) > MAX_LOCAL:
        raise ValueError(f"not NAME@DOMAIN: {text!r}")
    return f"{local}@{domain_name(domain)}"


def new_password(text: str) -> str:
    """A password with which clients can sign in.

    :raises ValueError: it is empty, has a NUL, which PLAIN has for other things (RFC 4616 2), or
        is no UTF-8, as the password of each mechanism is; the message holds nothing of it.
    """
    if not text:
        raise ValueError("an empty password is none")
    if "\0" in text:
        raise ValueError("a password cannot have a NUL")
    if any("\ud800" <= character <= "\udfff" for character in text):  # octets that were not decoded
        raise ValueError("a password must be UTF-8")
    return text


def _check_visible(name: str, text: str) -> None:
    if unseen := invisible_in(name):
        raise ValueError(f"{text!a} has {unseen}, which cannot be seen")
