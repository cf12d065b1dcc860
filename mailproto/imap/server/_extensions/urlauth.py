"""URLAUTH (RFC 4467), also of a part's octets (URL-PARTIAL, RFC 5550 5.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from mailproto.accounts import account_key
from mailproto.awaiting import settle
from mailproto.errors import NoSuchMailbox
from mailproto.imap.server._errors import BadCommand, RefusedWithCode
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._sections import FetchedMessage
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.server._urlauth import MECHANISM, open_url, refused, token
from mailproto.imap.wire import (
    ArgumentReader,
    Command,
    IMAPWireError,
    MessageURL,
    message_url,
    quoted_or_literal,
)
from mailproto.interfaces.add_ons import IAccessKeys
from mailproto.model import Part

__all__ = ["EXTENSION"]


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
        if account_key(url.user or "") != account_key(session.signed_in.name):
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
    """A URL of URLFETCH, which may be none."""

    text: bytes
    url: MessageURL | None


def _fetch(arguments: ArgumentReader) -> Sequence[Wanted]:
    """``1*(SP url-full)``."""
    wanted: list[Wanted] = []
    while not wanted or not arguments.at_end():
        text = arguments.astring()
        try:
            url = message_url(text, arguments)
        except IMAPWireError:
            wanted.append(Wanted(text, None))
        else:
            wanted.append(Wanted(text, url if url.token is not None else None))
    return wanted


async def fetch(session: Session, command: Command[Sequence[Wanted]]) -> None:
    """URLFETCH: nobody is told why there is NIL for a URL (RFC 4467 7)."""
    for wanted in command.arguments:
        beginning = b"* URLFETCH %b " % quoted_or_literal(wanted.text)
        try:
            await _send(session, wanted.url, beginning)
        except RefusedWithCode:
            session.respond(beginning + b"NIL\r\n")
        await session.flush()


async def _send(session: Session, url: MessageURL | None, beginning: bytes) -> None:
    if url is None:
        raise RefusedWithCode("", "")
    mailbox = await open_url(session, url)
    infos = await settle(mailbox.read([url.uid], Part.CONTENT | Part.OFFSETS))
    if not infos:
        raise refused(url)
    message = FetchedMessage(session, infos[0])
    is_begun = False
    try:
        octets = await message.section(url.section)
        if octets is None:
            raise refused(url)
        start, stop = url.range(len(octets))
        for piece in octets.chunks(start, stop):
            if not is_begun:
                session.respond(b"%b{%d}\r\n" % (beginning, stop - start))
                is_begun = True
            session.respond(piece)
            await session.flush(message.close)
    except OSError:
        if is_begun:
            session.abort()  # the length was announced
        raise refused(url) from None
    finally:
        message.close()
    session.respond(b"\r\n" if is_begun else b'%b""\r\n' % beginning)


def _keys(session: Session) -> IAccessKeys:
    account = session.signed_in
    if not IAccessKeys.providedBy(account):
        raise BadCommand
    return cast("IAccessKeys", account)


EXTENSION = Extension(
    "URLAUTH",
    capabilities=("URLAUTH", "URL-PARTIAL"),
    needs=frozenset({IAccessKeys}),
    commands=(
        CommandSpec("RESETKEY", _reset_key, reset_key),
        CommandSpec("GENURLAUTH", _generate, generate),
        CommandSpec("URLFETCH", _fetch, fetch),
    ),
)
