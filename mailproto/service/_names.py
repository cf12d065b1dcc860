"""Checks account names, domain names and passwords that people type."""

from __future__ import annotations

import re
import unicodedata

from mailproto.accounts import invisible_in
from mailproto.domains import canonical_domain, is_valid_international

__all__ = ["account_name", "domain_name", "new_password"]

MAX_LOCAL = 64
"""The most octets of a local part (RFC 5321 4.5.3.1.1)."""

MAX_DOMAIN = 255
"""The most octets of a domain (RFC 5321 4.5.3.1.2)."""

# This does not check the grammar, but only what could never be an address or would look like something
# else.
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f<>@,;:\"\\/]")

_DOTS = re.compile("[\u3002\uff0e\uff61]")
"""The dots of East Asian keyboards (RFC 5895 2)."""


def domain_name(text: str) -> str:
    """A domain as it was typed, but composed (NFC) and without its trailing dot.

    :raises ValueError: the text is not valid.
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

    :raises ValueError: the text is not valid.
    """
    _check_visible(text, text)
    local, at, domain = unicodedata.normalize("NFC", text).rpartition("@")
    spelling = unicodedata.normalize("NFKC", local)
    if not at or not local or _FORBIDDEN.search(spelling) or len(local.encode()) > MAX_LOCAL:
        raise ValueError(f"not NAME@DOMAIN: {text!r}")
    return f"{local}@{domain_name(domain)}"


def new_password(text: str) -> str:
    """Check a new password: clients must be able to sign in with it.

    :raises ValueError: the password is empty, has a NUL, which separates fields in PLAIN (RFC 4616 2), or
        is not UTF-8.  The message contains nothing of it.
    """
    if not text:
        raise ValueError("an empty password is none")
    if "\0" in text:
        raise ValueError("a password cannot have a NUL")
    if any("\ud800" <= character <= "\udfff" for character in text):  # octets that are not UTF-8
        raise ValueError("a password must be UTF-8")
    return text


def _check_visible(name: str, text: str) -> None:
    if unseen := invisible_in(name):
        raise ValueError(f"{text!a} has {unseen}, which cannot be seen")
