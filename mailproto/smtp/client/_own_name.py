"""The client's name in EHLO (RFC 5321 4.1.4)."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Any

from mailproto._arguments import wrong_type, wrong_value
from mailproto.domains import domain_fault
from mailproto.smtp.wire import UnsafeArgument, ascii_domain

__all__ = ["check_own_name", "hello_name", "own_name"]

_LITERAL = re.compile(r"\[(?:(?P<tag>[A-Za-z0-9\-]*[A-Za-z0-9]):)?(?P<address>[!-Z^-~]{1,255})\]")


def hello_name(name: str) -> str:
    """``name`` with A-labels: before EHLO it is not known whether the server reads U-labels (RFC 6531 3.7.1).

    :raises UnsafeArgument: it is neither a domain nor an address literal; the text shows it.
    :raises TypeError: it is not a str.
    """
    if not isinstance(name, str):
        raise wrong_type("hostname", name, "a str")
    if domain_fault(name) and not _is_literal(name):
        takes = "a domain such as 'mail.example.org' or an address in brackets"
        raise UnsafeArgument(str(wrong_value("hostname", name, takes)))
    return ascii_domain(name)


def check_own_name(name: str) -> None:
    """Check that ``name`` can be sent; "" is allowed, and means `own_name`.

    :raises UnsafeArgument, TypeError: as `hello_name` does.
    """
    if name != "":
        hello_name(name)


def _is_literal(text: str) -> bool:
    """Whether ``text`` is an address literal (RFC 5321 4.1.3); after a tag other than IPv6, anything is."""
    literal = _LITERAL.fullmatch(text)
    if literal is None or "%" in text:  # a zone means nothing on other machines (RFC 4007 11)
        return False
    if (literal["tag"] or "IPv6").lower() != "ipv6":
        return True
    try:
        address = ipaddress.ip_address(literal["address"])
    except ValueError:
        return False
    return address.version == (6 if literal["tag"] else 4)


def own_name(transport: Any) -> str:
    """This machine's name if it has a domain, or else the connection's own address in brackets."""
    name = socket.gethostname()
    if "." in name.strip("."):
        try:
            return hello_name(name)
        except UnsafeArgument:
            pass
    host: str = getattr(transport.getHost(), "host", "").partition("%")[0]  # without a zone (RFC 4007 11)
    if not host:
        return "localhost"
    return f"[IPv6:{host}]" if ":" in host else f"[{host}]"
