"""IDLE: keeps the connection waiting for events while there is nothing else to do (RFC 2177)."""

from __future__ import annotations

from typing import Final
from weakref import WeakSet

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from mailproto.imap.client._answer_data import search_result
from mailproto.imap.client._command import Command
from mailproto.imap.client._gathering import Gathered
from mailproto.imap.client._session import IMAPSession
from mailproto.imap.client._unasked import Events
from mailproto.imap.client._view import MailboxView

__all__ = ["Idler"]

_PAUSE: Final = 0.05
"""Seconds without a command, after which IDLE begins."""

_FEW: Final = 1000
"""Messages whose UIDs are fetched one by one."""


class Idler:
    """Sends IDLE while somebody wants events and no command is left, and ends it when one comes.

    Before that, it learns the UIDs of all messages, so that every event has one.
    """

    def __init__(self, session: IMAPSession) -> None:
        self._session = session
        self._streams: WeakSet[Events] = WeakSet()
        self._command: Command | None = None  # the IDLE that is under way
        self._is_idle = False  # whether the server has said that it idles
        self._is_ending = False
        self._refused_with: set[bool] = set()  # whether a mailbox was selected when the server refused IDLE
        self._learned: tuple[MailboxView, int] | None = None
        self._timer: IDelayedCall | None = None
        session.when_idle = self._begin_soon
        session.when_busy = self._end
        session.unasked.when_grown = self._end

    def events(self) -> Events:
        """A stream of events."""
        session = self._session
        stream = Events(session.limits.events, self._closed, session.unasked.awaited)
        if session.error is not None:
            stream.end(session.error)
            return stream
        self._streams.add(stream)
        session.unasked.streams.add(stream)
        session.advance()
        return stream

    def _closed(self, stream: Events) -> None:
        self._streams.discard(stream)
        self._session.unasked.streams.discard(stream)
        if not self._streams:
            self._end()

    def _begin_soon(self) -> None:
        session = self._session
        if self._streams and session.is_signed_in and self._timer is None and self._command is None:
            self._timer = session.clock.callLater(_PAUSE, self._begin)

    def _begin(self) -> None:
        self._timer = None
        session = self._session
        view = session.view
        if not (session.is_idle and session.is_usable and self._streams):
            return
        if view is not None and not view.is_complete and self._learned != (view, view.exists):
            self._learned = (view, view.exists)
            session.run(lambda: self._learn(view)).addErrback(lambda _: None)
        elif (view is not None) in self._refused_with or not session.has("IDLE", "IMAP4REV2"):
            self._timer = session.clock.callLater(session.timeouts.poll, self._poll)
        else:
            self._idle()

    # -- IDLE

    def _idle(self) -> None:
        session = self._session
        command = self._command = Command("IDLE", [b"IDLE"], alone=True)
        self._is_idle = self._is_ending = False
        command.result.addCallbacks(self._ended, self._refused)
        session.open_dialogue(command).addCallbacks(lambda _: self._begun(command), lambda _: None)

    def _begun(self, command: Command) -> None:
        if self._command is not command or command.tag not in self._session.running:
            return
        self._is_idle = True
        session = self._session
        if self._is_ending:
            self._done()
            return
        # The server says nothing until something happens.
        session.wait_for_answer(command, session.timeouts.idle + session.timeouts.command)
        self._timer = session.clock.callLater(session.timeouts.idle, self._renew)

    def _renew(self) -> None:
        self._timer = None
        self._end()

    def _end(self) -> None:
        """A command waits, or nobody wants events."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._command is not None and not self._is_ending:
            self._is_ending = True
            if self._is_idle:
                self._done()

    def _done(self) -> None:
        session, command = self._session, self._command
        if command is not None and session.is_usable:
            session.wait_for_answer(command, session.timeouts.command)
            session.write(b"DONE\r\n")

    def _ended(self, _: object) -> None:
        self._command = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refused(self, failure: Failure) -> None:
        self._ended(None)
        self._refused_with.add(self._session.view is not None)

    # -- without IDLE

    def _poll(self) -> None:
        self._timer = None
        self._session.command(Command("NOOP", [b"NOOP"])).addErrback(lambda _: None)

    # -- the UIDs of all messages

    async def _learn(self, view: MailboxView) -> None:
        session = self._session
        first = view.known + 1
        if view.exists - view.known > _FEW:
            gathered = Gathered(session)
            command = Command("UID SEARCH", [b"UID SEARCH ALL"], gathered, ("SEARCH", "ESEARCH"))
            before = view.exists
            await session.within_turn(command)
            uids = search_result(gathered.data, session.limits).uids
            # If messages came or went meanwhile, nobody knows which of them are in the answer.
            if session.view is view and view.exists == before and view.learn_all(uids):
                return
        last = b"*"
        while True:
            gathered = Gathered(session)
            fetch = Command("FETCH", [b"FETCH %d:%b (UID)" % (first, last)], gathered, ("FETCH",), alone=True)
            ending = await session.within_turn(fetch)
            numbers = [data.number for data in gathered.data if data.number]
            # A server may leave out the first ones (RFC 9738).
            if gathered.code("MESSAGELIMIT", ending) is None or not numbers or min(numbers) <= first:
                return
            last = b"%d" % (min(numbers) - 1)
