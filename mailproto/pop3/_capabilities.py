"""What CAPA announces (RFC 2449 5 and 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailproto.auth import MECHANISMS, server_mechanism

if TYPE_CHECKING:
    from mailproto.pop3.server import POP3Server

__all__ = ["capabilities", "usable_mechanisms"]


def usable_mechanisms(connection: POP3Server) -> list[str]:
    """SASL mechanisms that this connection may use now: those with clear passwords need privacy."""
    if connection.is_secure:
        return list(MECHANISMS)
    return [
        name
        for name in MECHANISMS
        if (mechanism := server_mechanism(name)) is not None and not mechanism.plaintext
    ]


def capabilities(connection: POP3Server) -> list[str]:
    """The same lines in both states (RFC 2449 5); they change with TLS."""
    lines = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER"]
    if connection.is_secure:
        lines.append("USER")
    if mechanisms := usable_mechanisms(connection):
        lines.append(f"SASL {' '.join(mechanisms)}")
    if connection.can_start_tls:
        lines.append("STLS")
    lines.append("IMPLEMENTATION mailproto")
    return lines
