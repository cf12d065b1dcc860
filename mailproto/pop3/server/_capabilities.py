"""What CAPA announces (RFC 2449 5 and 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailproto.pop3.server._server import POP3Server

__all__ = ["capabilities"]


def capabilities(connection: POP3Server) -> list[str]:
    """The lines of CAPA: different inside TLS, and after login if accounts have policies of their own."""
    # USER and PASS may be UTF-8, but "UTF8 USER" (RFC 6856 2.1) does not say so: old clients look for USER in
    # the whole line, and would send a password in the clear, or none at all (Cyrus' pop3test).
    lines = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "UTF8", "LANG"]
    lines += connection.policy_lines()
    if connection.is_secure and connection.sasl.takes_passwords:
        lines.append("USER")
    if mechanisms := connection.sasl.mechanisms(connection.channel):
        lines.append(f"SASL {' '.join(mechanisms)}")
    if connection.can_start_tls:
        lines.append("STLS")
    lines += connection.factory.capabilities
    lines.append("IMPLEMENTATION mailproto")
    return lines
