"""MOVE (RFC 6851)."""

from __future__ import annotations

from mailproto.connection.commands import State
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._message_commands import move
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import grammars

__all__ = ["EXTENSION"]

EXTENSION = Extension(
    "MOVE",
    capabilities=("MOVE",),
    commands=(CommandSpec("MOVE", grammars.copy, move, State.SELECTED, uid=True),),
)
