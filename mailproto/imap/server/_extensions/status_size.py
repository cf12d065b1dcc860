"""STATUS=SIZE (RFC 8438): the octets of all messages of a mailbox."""

from __future__ import annotations

from mailproto.imap.server._extension import Extension
from mailproto.imap.server._options import StatusItem

__all__ = ["EXTENSION"]

EXTENSION = Extension(
    "STATUS=SIZE",
    capabilities=("STATUS=SIZE",),
    status_items=(StatusItem("SIZE", lambda session, status: b"%d" % status.size),),
)
