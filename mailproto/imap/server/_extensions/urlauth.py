"""URLAUTH (RFC 4467), also for decoded parts (URLAUTH=BINARY, RFC 5524) or ranges (URL-PARTIAL, RFC 5550)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from mailproto.accounts import account_key
from mailproto.awaiting import settle
from mailproto.errors import NoSuchMailbox
from mailproto.imap.server._errors import NotNow, RefusedWithCode, SessionOver
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._extensions.binary import Decoded, decoded
from mailproto.imap.server._sections import FetchedMessage, Octets
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.server._urlauth import MECHANISM, open_url, owner, refused, token
from mailproto.imap.wire import (
    ArgumentReader,
    Command,
    FetchSection,
    IMAPWireError,
    MessageURL,
    message_url,
    quoted_or_literal,
)
from mailproto.interfaces.add_ons import IAccessKeys
from mailproto.message import Slices, UnknownEncoding, decoded_structure, structure_steps
from mailproto.model import Part

__all__ = ["EXTENSION"]

_FORMS: Final = frozenset({"BODY", "BINARY", "BODYPARTSTRUCTURE"})


@dataclass(frozen=True, slots=True)
class ResetKey:
    """RESETKEY: None for all mailboxes."""

    mailbox: str | None


def _reset_key(arguments: ArgumentReader) -> ResetKey:
    """``[SP mailbox *(SP mechanism)]``."""
    if arguments.at_end():
        return ResetKey(None)
    mailbox = arguments.mailbox()
    while not arguments.at_end():
        if arguments.atom().encode("ascii") != MECHANISM:
            raise IMAPWireError("Unknown mechanism")
    return ResetKey(mailbox)


async def reset_key(session: Session, command: Command[ResetKey]) -> bytes:
    """RESETKEY: URLs that were made before are worth nothing."""
    await settle(_keys(session).reset_access_keys(command.arguments.mailbox))
    return b"[URLMECH %b] RESETKEY completed" % MECHANISM


def _generate(arguments: ArgumentReader) -> Sequence[MessageURL]:
    """``1*(SP url-rump SP mechanism)``."""
    urls: list[MessageURL] = []
    while not urls or not arguments.at_end():
        text = arguments.astring()
        if arguments.atom().encode("ascii") != MECHANISM:
            raise IMAPWireError("Unknown mechanism")
        url = message_url(text, arguments)
        if url.user is None or url.mailbox is None or url.access is None or url.token is not None:
            raise IMAPWireError("Expected a URL with an access identifier and no token")
        urls.append(url)
    return urls


async def generate(session: Session, command: Command[Sequence[MessageURL]]) -> None:
    """GENURLAUTH: make URLs for messages in mailboxes of the account."""
    made = []
    for url in command.arguments:
        if owner(session, url.user or "") != account_key(session.signed_in.name):
            raise refused(url)
        try:
            key = await settle(_keys(session).access_key(url.mailbox or ""))
        except NoSuchMailbox:
            raise refused(url) from None
        made.append(b"%b:%b:%b" % (url.text, MECHANISM.lower(), token(key, url.rump)))
        await session.yield_turn()
    session.respond(b"* GENURLAUTH %b\r\n" % b" ".join(map(quoted_or_literal, made)))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A URL of URLFETCH, which may be none.

    :ivar forms: ``BODY``, ``BINARY`` and ``BODYPARTSTRUCTURE``; empty for BODY in the form of RFC 4467.
    """

    text: bytes
    url: MessageURL | None
    forms: frozenset[str] = frozenset()


def _fetch(arguments: ArgumentReader) -> Sequence[Wanted]:
    """``1*(SP (url-full / "(" url-full *(SP form) ")"))`` (RFC 5524 5)."""
    wanted: list[Wanted] = []
    while not wanted or not arguments.at_end():
        if not arguments.follows(b" ("):
            wanted.append(_wanted(arguments.astring(), arguments))
            continue
        arguments.open()
        each = _wanted(arguments.astring(), arguments)
        forms = set()
        while not arguments.closes():
            forms.add(form := arguments.atom())
            if form not in _FORMS:
                raise IMAPWireError("Unknown form")
        if {"BODY", "BINARY"} <= forms:
            raise IMAPWireError("BODY and BINARY exclude each other")
        wanted.append(replace(each, forms=frozenset(forms)))
    return wanted


def _wanted(text: bytes, arguments: ArgumentReader) -> Wanted:
    try:
        url = message_url(text, arguments)
    except IMAPWireError:
        return Wanted(text, None)
    return Wanted(text, url if url.token is not None else None)


async def fetch(session: Session, command: Command[Sequence[Wanted]]) -> None:
    """URLFETCH: the client is not told why it gets NIL for a URL (RFC 4467 7)."""
    for wanted in command.arguments:
        beginning = b"* URLFETCH %b " % quoted_or_literal(wanted.text)
        try:
            await _send(session, wanted.url, wanted.forms, beginning)
        except RefusedWithCode:
            session.respond(beginning + b"NIL\r\n")
        await session.flush()


async def _send(session: Session, url: MessageURL | None, forms: frozenset[str], beginning: bytes) -> None:
    if url is None:
        raise RefusedWithCode("", "")
    mailbox = await open_url(session, url)
    infos = await settle(mailbox.read([url.uid], Part.CONTENT | Part.OFFSETS))
    if not infos:
        raise refused(url)
    message = FetchedMessage(session, infos[0])
    is_begun = False
    try:
        section = FetchSection(b"", url.section, True)
        pieces = [beginning]
        if "BODYPARTSTRUCTURE" in forms:
            structure = await _structure(message, section, decodes="BINARY" in forms)
            pieces.append(b"(BODYPARTSTRUCTURE %b) " % structure)
        octets: Octets | None = await message.section(url.section)
        if octets is None:
            raise refused(url)
        length, mark, has_octets = len(cast("Slices", octets)), b"", True
        if "BINARY" in forms:
            try:
                octets, length, has_nul = await decoded(message, section) or (octets, length, False)
                mark = b"~" if has_nul else b""
            except UnknownEncoding:
                has_octets = False
        kind = next((form for form in ("BODY", "BINARY") if form in forms), "")
        end = b"\r\n"
        if kind:
            pieces.append(b"(%b " % kind.encode("ascii"))
            end = b")\r\n"
        elif forms:  # only the structure is wanted
            session.respond(b"".join(pieces)[:-1] + end)
            return
        if not has_octets:
            session.respond(b"".join([*pieces, b"NIL", end]))
            return
        start, stop = url.range(length)
        pieces.append(b"%b{%d}\r\n" % (mark, stop - start))
        for piece in octets.chunks(start, stop):
            session.respond(b"".join([*pieces, piece]))
            pieces.clear()
            is_begun = True
            await session.flush(message.close)
        session.respond(b"".join([*pieces, end]))
    except OSError:
        if is_begun:
            session.abort()  # the length was announced
            raise SessionOver from None
        raise refused(url) from None
    finally:
        message.close()


async def _structure(message: FetchedMessage, section: FetchSection, *, decodes: bool) -> bytes:
    """The part of BODYSTRUCTURE for a part; if ``decodes``, as it is without its encoding (RFC 5524 3.2)."""
    index = await message.index()
    part = None if section.section.text else index.find(section.section.part)
    if part is None:
        return b"NIL"
    if decodes and section.section.part and not part.children:
        try:
            found = await decoded(message, section)
        except UnknownEncoding:
            found = None
        if found is not None and isinstance(found[0], Decoded):
            encoding = b"binary" if found[0].has_nul else b"7bit" if found[0].is_ascii else b"8bit"
            return decoded_structure(message.content, part, found[1], encoding)
    return await message.in_turns(structure_steps(message.content, part, extended=True))


def _keys(session: Session) -> IAccessKeys:
    account = session.signed_in
    if not IAccessKeys.providedBy(account):
        raise NotNow
    return cast("IAccessKeys", account)


EXTENSION = Extension(
    "URLAUTH",
    capabilities=("URLAUTH", "URLAUTH=BINARY", "URL-PARTIAL"),
    needs=frozenset({IAccessKeys}),
    commands=(
        CommandSpec("RESETKEY", _reset_key, reset_key),
        CommandSpec("GENURLAUTH", _generate, generate),
        CommandSpec("URLFETCH", _fetch, fetch),
    ),
)
