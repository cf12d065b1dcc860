"""Parsing the paths and parameters of MAIL and RCPT (RFC 5321 4.1.2, RFC 6531 3.3).

Many senders do not follow this grammar.  Unless ``strict``, the parser also takes what has only one
meaning: dots anywhere in a local part, underscores in a domain, a dot at its end, no angle brackets,
or white space just inside them.  Postfix takes all of that by default.  It also takes comments,
backslashes outside quotes, white space within an address, a single bracket, and two ``@``, which have
several meanings, and are refused here.

Quantifiers are possessive, so that hostile input costs one pass.
"""

from __future__ import annotations

import ipaddress
import re
from types import MappingProxyType

from mailproto._invisible import invisible_in_address
from mailproto.model import NO_PARAMETERS, NULL_PATH, Address, Parameters
from mailproto.smtp.wire._errors import SMTPSyntaxError
from mailproto.smtp.wire._limits import SMTPWireLimits

__all__ = ["is_host", "parse_parameters", "parse_path"]

_UTF8 = "\xa0-\U0010ffff"  # without C1 controls, because paths are shown in trace fields and logs
_LETTERS = rf"A-Za-z0-9{_UTF8}"  # and digits: the inside of a character class
_ATEXT = rf"{_LETTERS}!#$%&'*+\-/=?^_`{{|}}~"
_DOT_STRING = rf"[{_ATEXT}]++(?:\.[{_ATEXT}]++)*"
_ATOMS_AND_DOTS = rf"[.{_ATEXT}]++"
_QUOTED_STRING = rf'"(?:[ !#-\[\]-~{_UTF8}]|\\[ -~])*"'


def _domain_of(letters: str) -> str:
    label = rf"[{letters}][{letters}\-]{{0,62}}+(?<!-)"  # RFC 1035 2.3.4
    return rf"{label}(?:\.{label})*"


_DOMAIN = _domain_of(_LETTERS)
_ODD_DOMAIN = _domain_of(rf"{_LETTERS}_")
_LITERAL = r"\[[0-9A-Za-z:.]++\]"
_ROUTE = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"
_ODD_ROUTE = rf"(?:@{_ODD_DOMAIN}\.?(?:,@{_ODD_DOMAIN}\.?)*:)?"
_ODD_MAILBOX = rf"({_ATOMS_AND_DOTS}|{_QUOTED_STRING})@(?:({_ODD_DOMAIN})\.?|({_LITERAL}))"

_PATH = re.compile(rf"<{_ROUTE}({_DOT_STRING}|{_QUOTED_STRING})@(?:({_DOMAIN})|({_LITERAL}))>(?= |\Z)")
_ODD_PATH = re.compile(rf"<[ \t]*+{_ODD_ROUTE}{_ODD_MAILBOX}[ \t]*+>(?=[ \t]|\Z)")
_NAKED_PATH = re.compile(rf"{_ODD_MAILBOX}(?=[ \t]|\Z)")
_NULL_PATH = re.compile(r"<>(?= |\Z)")
_ODD_NULL_PATH = re.compile(r"<[ \t]*+>(?=[ \t]|\Z)")
_POSTMASTER = re.compile(r"<(postmaster)>(?= |\Z)", re.IGNORECASE | re.ASCII)
_ODD_POSTMASTER = re.compile(
    r"(?:<[ \t]*+(postmaster)[ \t]*+>|(postmaster))(?=[ \t]|\Z)", re.IGNORECASE | re.ASCII
)
_PARAMETER = re.compile(rf"([A-Za-z0-9][A-Za-z0-9\-]*+)(?:=([!-<>-~{_UTF8}]++))?")
_CASELESS = frozenset(("BODY", "NOTIFY", "RET"))
"""Parameters with values that are keywords, compared without case."""

_QUOTED_PAIR = re.compile(r"\\(.)")
_HOST_LABEL = r"[A-Za-z0-9_][A-Za-z0-9_\-]*+(?<!-)"
_HOST = re.compile(rf"{_HOST_LABEL}(?:\.{_HOST_LABEL})*", re.ASCII)
_SPACES = re.compile(r"[ \t]+")
_LITERAL_WHOLE = re.compile(_LITERAL)


def parse_path(
    text: str, limits: SMTPWireLimits, enhanced: str, *, strict: bool = False
) -> tuple[Address, str]:
    """Parse the path at the beginning of ``text``; return it, and the rest of ``text``.

    A source route is dropped (RFC 5321 appendix C), and so is a dot at the end of a domain.  ``<>``
    gives the null path, and ``<Postmaster>`` an address without a domain; the caller checks whether
    these are allowed.

    :param enhanced: the enhanced status code for a path that is not valid: 5.1.3 or 5.1.7.
    :param strict: take only what RFC 5321 allows.
    :raises SMTPSyntaxError: 501.
    """
    match = _PATH.match(text)
    if match is None and not strict:
        match = _ODD_PATH.match(text) or _NAKED_PATH.match(text)
    if match:
        local, name, literal = match.groups()
        domain = name or literal
        if (
            match.end() > limits.path
            or len(domain) > limits.domain
            or len(local) > limits.local_part
            or not text.isascii()
        ):
            _check_lengths(match[0], local, domain, limits, enhanced)
            if unseen := invisible_in_address(match[0]):
                raise SMTPSyntaxError(501, enhanced, f"An address cannot have {unseen}")
        if literal and not _is_literal(literal):
            raise SMTPSyntaxError(501, enhanced, "Bad address literal")
        if local[0] == '"':
            local = _QUOTED_PAIR.sub(r"\1", local[1:-1])
        return Address(local, domain), text[match.end() :]
    if match := (_NULL_PATH if strict else _ODD_NULL_PATH).match(text):
        return NULL_PATH, text[match.end() :]
    if match := (_POSTMASTER if strict else _ODD_POSTMASTER).match(text):
        return Address(match[match.lastindex or 1], ""), text[match.end() :]
    raise SMTPSyntaxError(501, enhanced, "Bad address syntax, <local-part@domain> is needed")


def parse_parameters(text: str) -> Parameters:
    """Parse the parameters after a path; keywords are in upper case, values as they came.

    A parameter may be repeated with the same value.

    :raises SMTPSyntaxError: 501 for bad syntax, and for a parameter with two different values.
    """
    if not text:
        return NO_PARAMETERS
    parameters: dict[str, str | None] = {}
    for word in filter(None, _SPACES.split(text)):  # without the white space of Unicode
        match = _PARAMETER.fullmatch(word)
        if not match:
            raise SMTPSyntaxError(501, "5.5.4", "Bad parameter syntax")
        if unseen := invisible_in_address(word):
            raise SMTPSyntaxError(501, "5.5.4", f"A parameter cannot have {unseen}")
        keyword = match[1].upper()
        value = parameters.setdefault(keyword, match[2])
        if _meaning(keyword, value) != _meaning(keyword, match[2]):
            raise SMTPSyntaxError(501, "5.5.4", "Parameter given twice, with different values")
    return MappingProxyType(parameters)


def _meaning(keyword: str, value: str | None) -> str | None:
    return value.upper() if value and keyword in _CASELESS else value


def is_host(name: str) -> bool:
    """Whether ``name`` is a domain in ASCII or an address literal, as in a trace field.

    Underscores are allowed, because some machines have them in their names.
    """
    return bool(_HOST.fullmatch(name)) or _is_literal(name)


def _is_literal(text: str) -> bool:
    """Whether ``text`` is an address literal for IPv4 or IPv6; there are no others (RFC 5321 4.1.3)."""
    if not _LITERAL_WHOLE.fullmatch(text):
        return False
    inner = text[1:-1]
    try:
        if inner[:5].upper() == "IPV6:":
            ipaddress.IPv6Address(inner[5:])
        else:
            ipaddress.IPv4Address(inner)
    except ValueError:
        return False
    return True


def _check_lengths(path: str, local: str, domain: str, limits: SMTPWireLimits, enhanced: str) -> None:
    """Check lengths in octets (RFC 5321 4.5.3.1); a source route does not count, because it is dropped."""
    if len(local.encode()) > limits.local_part:
        raise SMTPSyntaxError(501, enhanced, "Local part too long")
    if len(domain.encode()) > limits.domain:
        raise SMTPSyntaxError(501, enhanced, "Domain too long")
    if len(f"<{local}@{domain}>".encode()) > limits.path:
        raise SMTPSyntaxError(501, enhanced, "Path too long")
