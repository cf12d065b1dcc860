"""COMPRESS=DEFLATE (RFC 4978)."""

from __future__ import annotations

from mailproto.imap.server._errors import BadCommand, RefusedWithCode, SessionOver
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec, Updates
from mailproto.imap.wire import ArgumentReader, Command

__all__ = ["EXTENSION"]


def _read(arguments: ArgumentReader) -> str:
    """``SP algorithm``."""
    return arguments.atom()


async def compress(session: Session, command: Command[str]) -> None:
    """COMPRESS: what follows its tagged OK is compressed, and so is all that the client sends from now on."""
    if command.arguments != "DEFLATE":
        raise BadCommand("DEFLATE is the only algorithm")
    if session.is_compressed:
        raise RefusedWithCode("COMPRESSIONACTIVE", "DEFLATE is active already")
    session.write(b"%b OK DEFLATE active\r\n" % command.tag.encode("ascii"))
    session.begin_compression()
    raise SessionOver  # the answer was given


EXTENSION = Extension(
    "COMPRESS=DEFLATE",
    capabilities=("COMPRESS=DEFLATE",),
    commands=(CommandSpec("COMPRESS", _read, compress, updates=Updates.NOTHING),),
)
