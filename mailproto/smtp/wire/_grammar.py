"""Paths and parameters of MAIL and RCPT, by the grammar of RFC 5321 4.1.2 and RFC 6531 3.3.

Quantifiers are possessive, so that hostile input costs one pass.
"""

from __future__ import annotations

import ipaddress
import re
from types import MappingProxyType

from mailproto.model import NO_PARAMETERS, NULL_PATH, Address, Parameters
from mailproto.smtp.wire._errors import SMTPSyntaxError
from mailproto.smtp.wire._limits import WireLimits

__all__ = ["is_hello_name", "parse_parameters", "parse_path"]

_UTF8 = "\xa0-\U0010ffff"  # without the controls of C1: a path is seen in trace fields and logs
_ATOM = rf"[A-Za-z0-9!#$%&'*+\-/=?^_`{{|}}~{_UTF8}]++"
_DOT_STRING = rf"{_ATOM}(?:\.{_ATOM})*"
_QUOTED_STRING = rf'"(?:[ !#-\[\]-~{_UTF8}]|\\[ -~])*"'
_LABEL = rf"[A-Za-z0-9{_UTF8}][A-Za-z0-9\-{_UTF8}]{{0,62}}+(?<!-)"  # RFC 1035 2.3.4
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_LITERAL = r"\[[0-9A-Za-z:.]++\]"
_ROUTE = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"

_PATH = re.compile(rf"<{_ROUTE}({_DOT_STRING}|{_QUOTED_STRING})@({_DOMAIN}|{_LITERAL})>(?= |\Z)")
_POSTMASTER = re.compile(r"<(postmaster)>(?= |\Z)", re.IGNORECASE | re.ASCII)
_PARAMETER = re.compile(rf"([A-Za-z0-9][A-Za-z0-9\-]*+)(?:=([!-<>-~{_UTF8}]++))?")
_QUOTED_PAIR = re.compile(r"\\(.)")
_HELLO_DOMAIN = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_\-.]*+(?<![\-.]))?", re.ASCII)
_LITERAL_WHOLE = re.compile(_LITERAL)


def parse_path(text: str, limits: WireLimits, enhanced: str) -> tuple[Address, str]:
    """The path that ``text`` begins with, and the rest.

    A source route is taken and dropped (RFC 5321 appendix C).  ``<>`` gives the null path
    and ``<Postmaster>`` an address without domain: whether they may stand there is the
    caller's question.

    :param enhanced: the enhanced status code for a path that is none: 5.1.3 or 5.1.7.
    :raises SMTPSyntaxError: 501.
    """
    if match := _PATH.match(text):
        local, domain = match.groups()
        if (
            match.end() > limits.path
            or len(domain) > limits.domain
            or len(local) > limits.local_part
            or not text.isascii()
        ):
            _check_lengths(match[0], local, domain, limits, enhanced)
        if domain[0] == "[" and not _is_literal(domain):
            raise SMTPSyntaxError(501, enhanced, "Bad address literal")
        if local[0] == '"':
            local = _QUOTED_PAIR.sub(r"\1", local[1:-1])
        return Address(local, domain), text[match.end() :]
    if text.startswith("<>") and text[2:3] in ("", " "):
        return NULL_PATH, text[2:]
    if match := _POSTMASTER.match(text):
        return Address(match[1], ""), text[match.end() :]
    raise SMTPSyntaxError(501, enhanced, "Bad address syntax, <local-part@domain> is needed")


def parse_parameters(text: str) -> Parameters:
    """What stands behind a path: keywords in upper case, values as they are.

    :raises SMTPSyntaxError: 501 for bad syntax, and for a keyword that comes twice.
    """
    if not text:
        return NO_PARAMETERS
    parameters: dict[str, str | None] = {}
    for word in filter(None, text.split(" ")):  # no other white space separates (RFC 5234 B.1: SP)
        match = _PARAMETER.fullmatch(word)
        if not match:
            raise SMTPSyntaxError(501, "5.5.4", "Bad parameter syntax")
        keyword = match[1].upper()
        if keyword in parameters:
            raise SMTPSyntaxError(501, "5.5.4", "Parameter given twice")
        parameters[keyword] = match[2]
    return MappingProxyType(parameters)


def is_hello_name(name: str) -> bool:
    """Whether a client may call itself so.

    Underscores are taken, because machines that have them in their names greet with them.
    """
    return bool(_HELLO_DOMAIN.fullmatch(name)) or _is_literal(name)


def _is_literal(text: str) -> bool:
    """Address literals of RFC 5321 4.1.3; no General-address-literal has been standardised."""
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


def _check_lengths(path: str, local: str, domain: str, limits: WireLimits, enhanced: str) -> None:
    """RFC 5321 4.5.3.1 counts octets; a route, as it is dropped, does not count."""
    if len(local.encode()) > limits.local_part:
        raise SMTPSyntaxError(501, enhanced, "Local part too long")
    if len(domain.encode()) > limits.domain:
        raise SMTPSyntaxError(501, enhanced, "Domain too long")
    if len(f"<{local}@{domain}>".encode()) > limits.path:
        raise SMTPSyntaxError(501, enhanced, "Path too long")
