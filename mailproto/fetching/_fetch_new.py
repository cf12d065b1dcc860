"""`fetch_new`: fetches what is new in a mailbox, and loses or doubles nothing through a crash."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Final

from twisted.internet.defer import Deferred

from mailproto._arguments import check_bool, check_call, wrong_type
from mailproto._in_thread import in_thread
from mailproto._twisted_arguments import check_clock
from mailproto.client import Credentials, MailboxURL
from mailproto.client._mailbox_url import MailboxScheme
from mailproto.client.errors import CommandRefused
from mailproto.fetching._fetch_state import FetchState, Known, Note
from mailproto.fetching._sources import OWN, Got, IMAPSource, POP3Source, Source
from mailproto.fetching._targets import MailboxTarget, Target
from mailproto.fetching._values import FetchProgress, FetchResult, Incoming, Listed, digest_of
from mailproto.imap import IMAPClient
from mailproto.interfaces import IMailbox
from mailproto.pop3 import POP3Client
from mailproto.typing import Reactor, ReactorTime

__all__ = ["Fetching", "fetch_new", "source_name"]

BATCH: Final = 200
"""Messages that are fetched and kept together."""

BATCH_OCTETS: Final = 4 << 20
"""Octets of a batch; a larger message is a batch of its own."""


async def fetch_new(
    reactor: Reactor,
    url: MailboxURL | str,
    credentials: Credentials,
    target: IMailbox | Target,
    state: str | os.PathLike[str],
    *,
    delete: bool = False,
    dry_run: bool = False,
    plain: bool = False,
    trust_root: str | os.PathLike[str] | None = None,
    progress: Callable[[FetchProgress], object] | None = None,
) -> FetchResult:
    """Fetch the messages of a mailbox that were not fetched before, and keep each of them once.

    If the program or the machine ends at any instant, call it again: what is kept already is known from the
    state file, and what was being kept is looked for in the target.  Messages that are not new because the
    server has numbered them anew (UIDVALIDITY) are not kept again, either.

    :param reactor: Twisted's reactor.
    :param url: such as ``pop3s://bob@mail.example`` or ``imaps://bob@mail.example/Lists``.
    :param credentials: a `mailproto.auth.Password`, `Token` or `Certificate`, or a function that returns one.
    :param target: an `IMailbox`, a `Maildir` or an `Mbox`.
    :param state: a file of this source and this target; it is made if it is missing.
    :param delete: True to remove from the server what is kept, in this session or an earlier one.
    :param dry_run: True to look only: nothing is fetched, kept or removed.
    :param plain: True for no TLS: the password goes in clear.
    :param trust_root: a file of CA certificates in PEM form, instead of the platform's.
    :param progress: called before the first message and after each batch of them.
    :raises TypeError, ValueError: an argument is none of these.
    :raises mailproto.errors.StoreUnusable: the state file cannot be used, or another program uses it.
    :raises mailproto.client.errors.ClientError: the server cannot be reached, or refuses.
    :raises mailproto.errors.MailError, OSError: the target cannot keep a message.
    """
    check_clock("reactor", reactor)
    url = url if isinstance(url, MailboxURL) else MailboxURL.parse(url)
    place = _target(target)
    check_bool("delete", delete)
    check_bool("dry_run", dry_run)
    if progress is not None:
        check_call("progress", progress, "a function that takes a FetchProgress, or None", 1)
    memory = FetchState(state, source_name(url), place.name)
    await in_thread(reactor, memory.open)
    try:
        client: Any = POP3Client if url.is_pop3 else IMAPClient
        opened = await url.open(client, reactor, credentials, plain=plain, trust_root=trust_root)
        try:
            source: Source = POP3Source(opened)
            if isinstance(opened, IMAPClient):
                source = IMAPSource(opened, url.mailbox, read_only=not delete)
            fetching = Fetching(reactor, source, place, memory, progress)
            result = await (fetching.look() if dry_run else fetching.run(delete=delete))
            await opened.quit()
            return result
        finally:
            opened.abort()
    finally:
        await in_thread(reactor, memory.close)


def source_name(url: MailboxURL) -> str:
    """A mailbox's name in a state, which is the same with TLS and without."""
    scheme: MailboxScheme = "pop3" if url.is_pop3 else "imap"
    ports = {110: 0, 995: 0} if url.is_pop3 else {143: 0, 993: 0}
    return str(MailboxURL(scheme, url.user, url.host.lower(), ports.get(url.port, url.port), url.mailbox))


def _target(target: object) -> Target:
    if isinstance(target, Target):
        return target
    if IMailbox.providedBy(target):
        mailbox: Any = target
        return MailboxTarget(mailbox)
    raise wrong_type("target", target, "an IMailbox, a Maildir or an Mbox")


class Fetching:
    """One call of `fetch_new`, with a source that is there.

    :param state: it is open.
    """

    def __init__(
        self,
        reactor: ReactorTime,
        source: Source,
        target: Target,
        state: FetchState,
        progress: Callable[[FetchProgress], object] | None = None,
    ) -> None:
        self._reactor = reactor
        self._source = source
        self._target = target
        self._state = state
        self._progress = progress
        self._known: dict[str, Known] = {}
        self._ids: defaultdict[bytes, list[str]] = defaultdict(list)  # of the known ones, by their digests
        self._nameless: Counter[bytes] = Counter()  # messages without an id, by their octets
        self._ready: list[tuple[Listed, str]] = []  # those that are kept, with their ids in the state
        self._kept = self._octets = 0
        self._refused: list[str] = []

    async def look(self) -> FetchResult:
        """What `run` would do.  (A message without an id counts as new, because only its octets tell.)"""
        self._known = await in_thread(self._reactor, self._state.known)
        listed = await self._source.listed()
        return FetchResult(len(listed), sum(not self._is_kept(each) for each in listed))

    async def run(self, *, delete: bool) -> FetchResult:
        """Fetch, keep, note, and remove."""
        await self._target.open(self._reactor)
        await self._recover()
        self._known = await in_thread(self._reactor, self._state.known)
        for id, known in self._known.items():
            self._ids[known.digest].append(id)
        listed = await self._source.listed()
        await self._forget({each.id for each in listed})
        new = [each for each in listed if not self._is_kept(each)]
        self._ready = [(each, each.id) for each in listed if self._is_kept(each)]
        total = sum(max(each.size, 0) for each in new)
        done = fetched = 0
        self._tell(FetchProgress(0, len(new), 0, total))
        async with aclosing(self._each(new)) as batches:
            async for batch, got in batches:
                fetched += await self._batch(batch, got)
                if self._source.lost is not None and batch[-1] is new[-1]:
                    raise self._source.lost
                done += len(batch)
                self._tell(FetchProgress(done, len(new), fetched, total))
        removed = await self._remove() if delete else 0
        return FetchResult(len(listed), len(new), self._kept, self._octets, removed, tuple(self._refused))

    def _tell(self, progress: FetchProgress) -> None:
        if self._progress is not None:
            self._progress(progress)

    async def _forget(self, listed: set[str]) -> None:
        """Note which messages others have removed; those with an id of ours are not listed by it."""
        gone = [
            id
            for id, known in self._known.items()
            if not (known.is_removed or id in listed or id.startswith(OWN))
        ]
        if gone:
            await in_thread(self._reactor, self._state.removed, gone)

    def _is_kept(self, message: Listed) -> bool:
        """Whether a message is known for sure without its octets.

        A server may give an id again after it has removed the message that had it, and some do (they count).
        """
        known = self._known.get(message.id) if message.id else None
        if known is None or known.is_removed:
            return False
        return known.size == message.size or -1 in (known.size, message.size)

    # -- after a crash

    async def _recover(self) -> None:
        """End what an earlier run has begun."""
        intent = await in_thread(self._reactor, self._state.intent)
        if intent is None:
            return
        digests = [note.digest for note in intent.notes]
        there = await self._target.recover(self._reactor, digests, intent.plan)
        kept = [note for note, is_there in zip(intent.notes, there, strict=True) if is_there]
        await in_thread(self._reactor, self._state.keep, kept)

    # -- a batch

    async def _each(
        self, messages: Sequence[Listed]
    ) -> AsyncGenerator[tuple[list[Listed], Sequence[Got | str | None]], None]:
        """The batches; while one is kept, the next one is on its way."""
        coming: tuple[list[Listed], Deferred[Sequence[Got | str | None]]] | None = None
        try:
            for batch in _batches(messages):
                last, coming = coming, (batch, Deferred.fromCoroutine(self._source.get(batch)))
                if last is not None:
                    yield last[0], await last[1]
            if coming is not None:
                yield coming[0], await coming[1]
        finally:
            if coming is not None:
                coming[1].addErrback(lambda _: None)

    async def _batch(self, batch: Sequence[Listed], got: Sequence[Got | str | None]) -> int:
        """Keep some messages.  :returns: their octets."""
        octets = 0
        new: list[Incoming] = []
        notes: list[Note] = []
        renamed: list[Note] = []
        ready: list[tuple[Listed, str]] = []
        digests = await in_thread(self._reactor, _digests, got)
        for message, each, digest in zip(batch, got, digests, strict=True):
            if isinstance(each, str):
                self._refused.append(f"message {message.handle}: {each}")
            elif each is not None:
                octets += len(each.content)
                id = message.id or self._name(digest)
                note = Note(id, digest, message.size)
                ready.append((message, id))
                if self._had(note):
                    renamed.append(note)
                else:
                    new.append(Incoming(id, digest, each.content, each.flags, each.date, each.zone))
                    notes.append(note)
        if new:
            await self._target.keep(self._reactor, new, lambda plan: self._intend(notes, plan))
        if new or renamed:
            await in_thread(self._reactor, self._state.keep, [*notes, *renamed])
        self._ready += ready
        self._kept += len(new)
        self._octets += sum(len(each.content) for each in new)
        return octets

    async def _intend(self, notes: Sequence[Note], plan: bytes) -> None:
        await in_thread(self._reactor, self._state.intend, notes, plan)

    def _name(self, digest: bytes) -> str:
        """An id for a message that has none: its octets, and how many of the same came before it."""
        self._nameless[digest] += 1
        return f"{OWN}{digest.hex()}/{self._nameless[digest]}"

    def _had(self, note: Note) -> bool:
        """Whether a message with these octets is kept already under this id, or was renumbered."""
        known = self._known.get(note.id)
        if known is not None and known.digest == note.digest:
            return True
        return any(self._source.is_renumbered(note.id, id) for id in self._ids.get(note.digest, ()))

    # -- on the server

    async def _remove(self) -> int:
        """Remove all that is kept.

        That is noted before: who notes it afterwards may end in between, and then a server that counts gives
        the ids to others.  A message that is there still is only fetched once more, and known by its octets.
        """
        if not self._ready:
            return 0
        ids = [id for _, id in self._ready]
        await in_thread(self._reactor, self._state.removed, ids)
        try:
            await self._source.remove([message for message, _ in self._ready])
        except CommandRefused:
            await in_thread(self._reactor, self._state.not_removed, ids)
            raise
        return len(self._ready)


def _digests(got: Sequence[Got | str | None]) -> list[bytes]:
    """The digest of each; nothing for what is no message."""
    return [digest_of(each.content) if isinstance(each, Got) else b"" for each in got]


def _batches(messages: Sequence[Listed]) -> Iterator[list[Listed]]:
    """The messages in batches; one of unknown size counts as a large one."""
    batch: list[Listed] = []
    octets = 0
    for message in messages:
        size = message.size if message.size >= 0 else BATCH_OCTETS // 20
        if batch and (len(batch) >= BATCH or octets + size > BATCH_OCTETS):
            yield batch
            batch, octets = [], 0
        batch.append(message)
        octets += size
    if batch:
        yield batch
