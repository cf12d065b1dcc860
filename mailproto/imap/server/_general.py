"""CAPABILITY, NOOP and CHECK, ID, ENABLE, LOGOUT (RFC 9051 6.1, RFC 2971, RFC 5161)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailproto.imap.server._capabilities import capabilities
from mailproto.imap.server._errors import SessionOver
from mailproto.imap.wire import Command, Enable, Id, NoArguments

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["capability", "enable", "identify", "logout", "noop"]


async def capability(server: IMAPServer, command: Command[NoArguments]) -> None:
    """RFC 9051 6.1.1."""
    server.respond(b"* CAPABILITY %b\r\n" % capabilities(server))


async def noop(server: IMAPServer, command: Command[NoArguments]) -> None:
    """NOOP and CHECK: what there is to tell comes before every tagged OK (RFC 9051 6.1.2)."""


async def identify(server: IMAPServer, command: Command[Id]) -> None:
    """ID: our name, and no version, which helps nobody but attackers (RFC 2971 4)."""
    server.respond(b'* ID ("name" "mailproto")\r\n')


async def enable(server: IMAPServer, command: Command[Enable]) -> None:
    """ENABLE: nothing here needs to be enabled, and other names are ignored (RFC 5161 3.1)."""
    server.respond(b"* ENABLED\r\n")


async def logout(server: IMAPServer, command: Command[NoArguments]) -> None:
    """LOGOUT: BYE, the tagged OK, and the end (RFC 9051 6.1.3)."""
    server.end(b"* BYE Logging out\r\n%b OK LOGOUT completed\r\n" % command.tag.encode("ascii"), "quit")
    raise SessionOver
