"""Writing a client's commands as octets, safely: no argument can begin another command."""

from __future__ import annotations

import re
from functools import lru_cache

from mailproto import domains
from mailproto._invisible import invisible_in_address
from mailproto.model import Address, Parameters
from mailproto.smtp.wire._errors import SMTPSyntaxError
from mailproto.smtp.wire._grammar import parse_path
from mailproto.smtp.wire._limits import SMTPWireLimits

__all__ = ["UnsafeArgument", "ascii_domain", "read_address", "render_bdat", "render_line", "render_path"]

_CONTROL = re.compile("[\x00-\x1f\x7f]")
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-]*+")
_VALUE = re.compile(r"[!-<>-~\x80-\U0010ffff]++")
_LIMITS = SMTPWireLimits(local_part=256, path=500)
"""Mailing lists have local parts longer than 64; the server decides whether one is too long."""


class UnsafeArgument(ValueError):
    """An address, a parameter or a name that cannot be sent in a command."""


@lru_cache(maxsize=1024)
def read_address(text: str) -> Address:
    """Parse an address without angle brackets; "" gives the null path.

    :raises UnsafeArgument: it is not an address.
    """
    try:
        address, rest = parse_path(f"<{text}>", _LIMITS, "5.1.3")
    except SMTPSyntaxError as error:
        raise UnsafeArgument(error.text) from None
    except UnicodeEncodeError:
        raise UnsafeArgument("not Unicode") from None
    if rest or text != text.strip(" \t"):
        raise UnsafeArgument("not an address")
    return address


def ascii_domain(domain: str) -> str:
    """`mailproto.domains.ascii_domain`.

    :raises UnsafeArgument: the domain has no ASCII form.
    """
    try:
        return domains.ascii_domain(domain)
    except UnicodeError:
        raise UnsafeArgument("not a domain name") from None


def render_path(command: str, path: Address, parameters: Parameters) -> bytes:
    """``MAIL FROM`` or ``RCPT TO`` with its path and parameters (RFC 5321 4.1.1.2, 4.1.1.3).

    :raises UnsafeArgument: the path or a parameter is not valid.
    """
    line = _with_path(command, path.local, path.domain)
    for keyword, value in parameters.items():
        is_safe = value is None or (_VALUE.fullmatch(value) and not invisible_in_address(value))
        if not _KEYWORD.fullmatch(keyword) or not is_safe:
            raise UnsafeArgument("not a parameter")
        line += f" {keyword}" if value is None else f" {keyword}={value}"
    return _encoded(line)


@lru_cache(maxsize=1024)
def _with_path(command: str, local: str, domain: str) -> str:
    address = Address(local, domain)
    # Checked by the grammar; only a recipient Postmaster needs no domain (RFC 5321 4.1.1.3).
    if (
        _CONTROL.search(local)
        or read_address(str(address)) != address
        or (local and not domain and command != "RCPT TO")
    ):
        raise UnsafeArgument("not an address")
    return f"{command}:<{address}>"


def render_line(verb: str, argument: str = "") -> bytes:
    """Any other command, with its argument.

    :raises UnsafeArgument: for a control character.
    """
    line = f"{verb} {argument}" if argument else verb
    if _CONTROL.search(line):
        raise UnsafeArgument("control character in an argument")
    return _encoded(line)


def render_bdat(size: int, *, last: bool) -> bytes:
    """The BDAT command before a chunk of ``size`` octets (RFC 3030 2)."""
    return b"BDAT %d LAST\r\n" % size if last else b"BDAT %d\r\n" % size


def _encoded(line: str) -> bytes:
    try:
        return line.encode() + b"\r\n"
    except UnicodeEncodeError:
        raise UnsafeArgument("not Unicode") from None
