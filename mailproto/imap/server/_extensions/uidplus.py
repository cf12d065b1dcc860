"""UIDPLUS (RFC 4315): UID EXPUNGE.  APPENDUID and COPYUID are always told."""

from __future__ import annotations

from mailproto.connection.commands import State
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._message_commands import expunge_uids
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import grammars

__all__ = ["EXTENSION"]

EXTENSION = Extension(
    "UIDPLUS",
    capabilities=("UIDPLUS",),
    commands=(CommandSpec("UID EXPUNGE", grammars.uid_expunge, expunge_uids, State.SELECTED),),
)
