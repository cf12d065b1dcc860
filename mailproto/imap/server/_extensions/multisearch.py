"""MULTISEARCH (RFC 7377): ESEARCH searches several mailboxes, also without a selected one."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from mailproto.awaiting import settle
from mailproto.errors import MailError, NoPermission, NoSuchMailbox
from mailproto.imap.server._errors import BadCommand, NotNow
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._mailbox_sets import MailboxSet, chosen_names, mailbox_set
from mailproto.imap.server._message_limit import completed, left_out, searched
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._requests import SearchAsked, SearchFound
from mailproto.imap.server._search import ALL, answer_extended, finish_answer, keys_of, look_for
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import ArgumentReader, Command, IMAPWireError, Search, grammars

__all__ = ["EXTENSION"]

_IN = re.compile(rb" IN(?= \()", re.IGNORECASE)
_SELECTED = MailboxSet("SELECTED")


@dataclass(frozen=True, slots=True)
class ExtendedSearch:
    """The arguments of ESEARCH."""

    sources: tuple[MailboxSet, ...]
    program: Search


def _esearch(arguments: ArgumentReader) -> ExtendedSearch:
    """``[SP "IN (" sources ")"] [SP "RETURN (" options ")"] [SP "CHARSET" SP charset] 1*(SP key)``."""
    sources: tuple[MailboxSet, ...] = (_SELECTED,)
    if arguments.match(_IN):
        sources = tuple(arguments.list_of(lambda: mailbox_set(arguments)))
        if not sources:
            raise IMAPWireError("Expected mailboxes")
    returns = grammars.search_returns(arguments)
    charset, key = grammars.search_program(arguments)
    return ExtendedSearch(sources, Search(charset, key, ALL if returns is None else returns))


async def esearch(session: Session, command: Command[ExtendedSearch]) -> bytes | None:
    """ESEARCH: an answer for each mailbox in which something is found, and none for the others.

    A limit of messages (RFC 9738) is one for each mailbox, as if each were selected and searched.
    """
    arguments = command.arguments
    sources, program = arguments.sources, arguments.program
    returns = program.returns or ALL
    if session.view is None and _SELECTED in sources:
        raise NotNow("No mailbox is selected")
    known = tables_of(session).search_returns
    chosen = [option for name, option in known.items() if name in returns]
    is_selected_only = set(sources) == {_SELECTED}
    if any(option.only_selected for option in chosen) and not is_selected_only:
        raise BadCommand("Only the selected mailbox can be searched with these options")
    try:
        key = await keys_of(session, program)
        await session.catch_up(expunges=True)
        is_checked, code = False, b""
        async with aclosing(_views(session, sources)) as views:
            async for view in views:
                within, code = await searched(session, view, key)
                asked = SearchAsked(command.tag, view, key, True, returns, within=within)
                if not is_checked:
                    is_checked = True
                    for option in chosen:
                        if option.check is not None:
                            option.check(session, asked)
                await _answer(session, SearchFound(asked, await look_for(session, asked), extended=True))
                if not is_selected_only:
                    left_out(session, code, view.mailbox.name)
        return completed(session, code if is_selected_only else b"", command.full_name, None)
    except MailError:
        for option in chosen:
            if option.refused is not None:
                option.refused(session)
        raise


async def _answer(session: Session, found: SearchFound) -> None:
    asked = found.asked
    if not found.numbers:
        await finish_answer(session, found)
        return
    mailbox = asked.view.mailbox
    where = b" MAILBOX %b UIDVALIDITY %d" % (session.encoded(mailbox.name), mailbox.uid_validity)
    more = b"".join([await tell(session, asked.key, found) for tell in tables_of(session).on_search])
    await answer_extended(session, found, more, where)
    await session.flush()


async def _views(session: Session, sources: tuple[MailboxSet, ...]) -> AsyncGenerator[MailboxView, None]:
    """The mailboxes of the sources, one after another; what cannot be opened is left out."""
    selected = session.view
    name_of_selected = None if selected is None else selected.mailbox.name
    if _SELECTED in sources and selected is not None:
        yield selected
    others = [each for each in sources if each != _SELECTED]
    async for name in chosen_names(session, others):
        if name == name_of_selected and selected is not None:
            if _SELECTED not in sources:
                yield selected
            continue
        await session.wait_turn()  # the mailbox may be large
        try:
            view = await _opened(session, name)
        except (NoPermission, NoSuchMailbox):
            continue
        try:
            yield view
        finally:
            view.close()


async def _opened(session: Session, name: str) -> MailboxView:
    mailbox = await settle(session.signed_in.open(name))
    view = MailboxView(
        mailbox,
        read_only=True,
        pause=session.yield_turn,
        sharing=session.factory.shared.of(session.signed_in.name, mailbox.name, mailbox.uid_validity),
    )
    await view.load()
    return view


EXTENSION = Extension(
    "MULTISEARCH",
    capabilities=("MULTISEARCH",),
    commands=(CommandSpec("ESEARCH", _esearch, esearch, uid=True),),
)
