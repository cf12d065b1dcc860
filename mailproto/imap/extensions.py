"""What extensions of the IMAP server are made of: `docs/extending.md` shows how to write one.

Give your own to `IMAPServerFactory`, beside the standard ones, or leave some of these out::

    IMAPServerFactory(portal, extensions=[*STANDARD, MINE])

An `Extension` describes all that it brings.  A grammar reads with `mailproto.imap.wire.ArgumentReader`; those
of the standard commands are in `mailproto.imap.wire.grammars`.
"""

from mailproto.imap.server._conditions import Column, Condition, Content, Cost
from mailproto.imap.server._errors import RefusedWithCode
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._extensions import CORE, LITERAL_MINUS, STANDARD
from mailproto.imap.server._keeping import PerServer, PerSession
from mailproto.imap.server._matching import Search, SearchKeys
from mailproto.imap.server._options import (
    AppendData,
    CreateParameter,
    FetchModifier,
    ListReturn,
    ListSelection,
    SearchReturn,
    SelectParameter,
    StatusItem,
    StoreModifier,
)
from mailproto.imap.server._registry import Tables
from mailproto.imap.server._requests import FetchRequest, SearchFound, StoreRequest
from mailproto.imap.server._roles import Feed, Sink
from mailproto.imap.server._rows import Batch, FetchColumn
from mailproto.imap.server._sections import Extract, FetchedMessage, FetchPiece
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec, Updates

__all__ = [
    "CORE",
    "LITERAL_MINUS",
    "STANDARD",
    "AppendData",
    "Batch",
    "Column",
    "CommandSpec",
    "Condition",
    "Content",
    "Cost",
    "CreateParameter",
    "Extension",
    "Extract",
    "Feed",
    "FetchColumn",
    "FetchModifier",
    "FetchPiece",
    "FetchRequest",
    "FetchedMessage",
    "ListReturn",
    "ListSelection",
    "PerServer",
    "PerSession",
    "RefusedWithCode",
    "Search",
    "SearchFound",
    "SearchKeys",
    "SearchReturn",
    "SelectParameter",
    "Session",
    "Sink",
    "StatusItem",
    "StoreModifier",
    "StoreRequest",
    "Tables",
    "Updates",
]
