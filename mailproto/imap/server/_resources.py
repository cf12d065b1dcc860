"""What the sessions of one server share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.cred.portal import Portal

from mailproto._spool_room import SpoolRoom
from mailproto.auth.sasl import ServerMechanism
from mailproto.connection import ServerFactory
from mailproto.imap.server._fetch_room import FetchRoom
from mailproto.imap.server._limits import IMAPLimits
from mailproto.imap.server._places import Places
from mailproto.imap.server._shared_columns import Shared
from mailproto.imap.wire import IMAPWireLimits

__all__ = ["Resources"]


class Resources(ServerFactory):
    """A factory, as the handlers of commands know it."""

    limits: IMAPLimits
    portal: Portal
    mechanisms: Sequence[type[ServerMechanism]] | None
    greeting_name: bytes
    max_message_size: int
    wire_limits: IMAPWireLimits
    spool_room: SpoolRoom
    spool_folder: str | None
    shared: Shared
    message_places: Places
    fetch_room: FetchRoom
    search_places: Places
    kept: dict[object, Any]
