"""The session of one client: its state, and what handlers of commands use.

Handlers know this class only.  What handles the client's events is `mailproto.imap.server._server`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Generic, NoReturn, Protocol, TypeAlias, TypeVar

from mailproto.auth.sasl import SASLServer
from mailproto.connection import ConnectionOver, ServerConnection
from mailproto.connection._compression import PIECE
from mailproto.connection.commands import State
from mailproto.errors import NoPermission, NoSuchMailbox
from mailproto.imap.server._errors import NotNow, SessionOver
from mailproto.imap.server._limits import IMAPLimits
from mailproto.imap.server._manner import Manner
from mailproto.imap.server._resources import Resources
from mailproto.imap.server._view import MailboxView
from mailproto.imap.server._view_writer import ViewWriter
from mailproto.imap.wire import Command, Event, IMAPServerWire, Syntax, encode_mailbox
from mailproto.interfaces import IAccount, IMailbox

__all__ = ["Feed", "PerServer", "PerSession", "Reply", "Session", "Sink"]

T = TypeVar("T")

_FEW = 4
"""Work on so many messages never takes milliseconds before it pauses."""

Reply: TypeAlias = bytes | None
"""What a handler returns: the text of its tagged OK, response code included; None for "NAME completed"."""


class Sink(Protocol):
    """Takes a literal that is streamed, such as a message of APPEND."""

    def write(self, data: bytes) -> None:
        """Take some octets, at least one; a failure is kept until the command is carried out."""

    def close(self) -> None:
        """Drop what was taken, unless somebody else has it now."""


class Notices(Protocol):
    """What tells a client of changes at any time (NOTIFY).

    :ivar is_idling: whether IDLE lasts, in which all messages may be told of.
    """

    is_idling: bool

    def hinted(self) -> None:
        """There may be changes in the selected mailbox."""

    def made(self, uids: Sequence[int]) -> None:
        """The client itself has put these messages into the selected mailbox; ascending."""

    def close(self) -> None:
        """Tell nothing more."""


class Feed(Protocol):
    """Tells a client of changes of its account, beside those of the selected mailbox: one of `Session.feeds`.

    It does that before the tagged OK of each command after which updates are told, and during IDLE.
    """

    @property
    def is_stale(self) -> bool:
        """Whether there may be something to tell."""

    def on_hint(self, listener: Callable[[], None] | None) -> None:
        """Call ``listener`` whenever that may have become true (IDLE); None to stop."""

    async def tell(self) -> None:
        """Tell the client (`Session.respond`)."""

    def close(self) -> None:
        """The session is over."""


class Session(ServerConnection[Event]):
    """One client's session.

    :ivar sasl: the exchanges of AUTHENTICATE.
    :ivar account: the account that signed in, or None.
    :ivar writer: tells the client of the selected mailbox; None if no mailbox is selected.
    :ivar manner: how the client wants to be told of it.
    :ivar tag: of the command under way; "" if there is none.
    :ivar holds_expunges: whether no expunge is told until the command under way is done, whatever it is.
    :ivar notices: tells the client of changes at any time, if it wants that.
    :ivar uploads: the streamed literals of the command that is being read.
    :ivar feeds: what else tells the client of changes.
    :ivar enabled: what the client has enabled, such as ``CONDSTORE`` (RFC 5161).
    """

    factory: Resources
    limits: IMAPLimits
    wire: IMAPServerWire

    def __init__(self, factory: Resources, syntax: Syntax) -> None:
        super().__init__(factory)
        self.wire = IMAPServerWire(self.limits.before_login, syntax=syntax)
        self.sasl = SASLServer(
            factory.portal,
            factory.mechanisms,
            clock=factory.clock,
            session=self,
            failure_delay=factory.limits.failure_delay,
        )
        self.account: IAccount | None = None
        self.writer: ViewWriter | None = None
        self.manner = Manner()
        self.tag = ""
        self.holds_expunges = False
        self.feeds: list[Feed] = []
        self.enabled: set[str] = set()
        self.kept: dict[object, Any] = {}  # by `PerSession`
        self.uploads: list[Sink] = []
        self.notices: Notices | None = None
        self._logout: Callable[[], None] | None = None
        self._responses: list[bytes] = []
        self._has_answered = False  # whether anything was sent in answer to the running command
        # The command that waits for a line from the client, and the function that takes the line.
        self._waiting_command: Command[Any] | None = None
        self._on_line: Callable[[bytes], Awaitable[Reply]] | None = None

    @property
    def account_name(self) -> str | None:
        """See `ServerConnection.account_name`."""
        return None if self.account is None else self.account.name

    @property
    def state(self) -> State:
        """The state of RFC 9051 3."""
        if self.account is None:
            return State.NOT_AUTHENTICATED
        return State.AUTHENTICATED if self.view is None else State.SELECTED

    @property
    def signed_in(self) -> IAccount:
        """The account, for commands that need one."""
        if self.account is None:
            raise NotNow
        return self.account

    @property
    def view(self) -> MailboxView | None:
        """The selected mailbox, or None."""
        return None if self.writer is None else self.writer.view

    @property
    def selected(self) -> MailboxView:
        """The selected mailbox, for commands that need one."""
        return self.selected_writer.view

    @property
    def selected_writer(self) -> ViewWriter:
        """Tells the client of the selected mailbox, for commands that need one."""
        if self.writer is None:
            raise NotNow
        return self.writer

    def encoded(self, mailbox: str) -> bytes:
        """A mailbox's name in a response, as the client reads names."""
        return encode_mailbox(mailbox, utf8=self.wire.utf8)

    def respond(self, data: bytes) -> None:
        """Collect untagged responses; they are sent with the tagged one, or by `flush`."""
        self._responses.append(data)

    async def flush(self, before_waiting: Callable[[], None] | None = None) -> None:
        """Send the collected responses, wait while the client is slow, and let others have their turn.

        :param before_waiting: called if the client is slow.
        :raises SessionOver: the client is gone.
        """
        if self.is_compressed:
            await self.compress()
        self._send()
        drained = self.drained()
        if before_waiting is not None and self.congested:
            before_waiting()
        await drained
        await self.yield_turn()
        if not self.is_open:
            raise SessionOver

    async def compress(self) -> None:
        """Send the collected responses in pieces, but for the last piece: it takes time to compress them."""
        if sum(map(len, self._responses)) <= PIECE:
            return
        data, at = b"".join(self._responses), 0
        self._responses.clear()
        self._has_answered = True
        while len(data) - at > PIECE:
            self.write(data[at : at + PIECE])
            self._send_now()
            at += PIECE
            await self.yield_turn()
        self._responses.insert(0, data[at:])

    def damaged(self) -> None:
        """See `EventConnection.damaged`."""
        self.end(b"* BYE Compressed data is damaged\r\n", "compressed data is damaged")

    async def yield_turn(self) -> None:
        """See `breathe`.

        :raises SessionOver: the client is gone.
        """
        try:
            await self.breathe()
        except ConnectionOver:
            raise SessionOver from None

    async def wait_turn_for(self, messages: int) -> None:
        """Before work on some messages: if they are many, let others go first (`wait_turn`).

        Otherwise many who ask for that at once would all be served before somebody's NOOP.
        """
        if messages > _FEW:
            await self.wait_turn()

    def end_after(self, command: Command[Any], text: bytes) -> NoReturn:
        """Answer a command with BYE and OK, and end the connection, as LOGOUT does."""
        responses = b"".join(self._responses)
        self._responses.clear()
        reply = b"%b OK %b\r\n" % (command.tag.encode("ascii"), text)
        self.end(b"%b* BYE Logging out\r\n%b" % (responses, reply), "quit")
        raise SessionOver

    def is_still_there(self) -> None:
        """See `EventConnection.is_still_there`; in the midst of a response, that is what is sent."""
        if not self._has_answered:
            self.write(b"* OK Still working\r\n")

    def say(self, data: bytes) -> None:
        """Send what was collected, and an untagged response, while the command waits for something else."""
        self.respond(data)
        self._send()
        self._send_now()

    def _send(self) -> None:
        if self._responses:
            self._has_answered = True
            responses, self._responses = self._responses, []
            self._write_pieces(responses)

    def complete(self, tag: bytes, response: bytes) -> None:
        """Collect the tagged response to a command, and send everything.

        :param response: what follows the tag and a space.
        """
        self.tag = ""
        self.holds_expunges = False
        if self.writer is not None:
            self._responses.append(self.writer.before_completion())
        self._responses.append(b"%b %b\r\n" % (tag, response))
        self._send()

    async def catch_up(self, *, expunges: bool, flags: bool = True) -> None:
        """Tell the client of changes in the selected mailbox, and of what `feeds` know.

        :param flags: False if it does not want to know of changed flags.
        :raises SessionOver: the mailbox was deleted, or may not be read any more, so the connection is
            closed: RFC 2180 3.1 leaves nothing better.
        """
        for feed in self.feeds:
            if feed.is_stale:
                await feed.tell()
        expunges = expunges and not self.holds_expunges
        if self.writer is not None and self.writer.has_updates(expunges=expunges):
            await self._tell(self.writer.updates(expunges=expunges, flags=flags))

    def tell_new(self, *, asks: bool) -> bool:
        """Tell the client at once if all that has changed are some new messages.

        A thousand sessions of a mailbox may be told of a message at the same time.

        :param asks: see `ViewWriter.new_at_once`; if not, no code of a backend is called.
        :returns: False if nothing was done: then `catch_up` is needed.
        """
        writer = self.writer
        if writer is None or self.congested or self.is_compressed or self._responses:
            return False
        if self.feeds and any(feed.is_stale for feed in self.feeds):
            return False
        responses = writer.new_at_once(asks=asks)
        if responses:
            self._has_answered = True
            self.write(responses)
        return responses is not None

    async def follow_up(self) -> None:
        """Tell the client what follows from its own changes.

        :raises SessionOver: see `catch_up`.
        """
        if self.writer is not None and self.writer.follower is not None:
            await self._tell(self.writer.followed())

    async def tell_removed(self) -> None:
        """Tell the client which messages it has removed, before it is told of others that came.

        :raises SessionOver: see `catch_up`.
        """
        if self.writer is not None and not self.holds_expunges:
            await self._tell(self.writer.own_expunges())

    async def _tell(self, pieces: AsyncIterator[bytes]) -> None:
        told = False
        try:
            async for piece in pieces:
                if told:  # the usual single piece is sent with the command's answer
                    await self.flush()
                self._responses.append(piece)
                told = True
        except (NoSuchMailbox, NoPermission) as error:
            self._send()
            what = "was deleted" if isinstance(error, NoSuchMailbox) else "may not be read any more"
            self.end(f"* BYE Selected mailbox {what}\r\n".encode("ascii"), f"selected mailbox {what}")
            raise SessionOver from None

    @property
    def is_stale(self) -> bool:
        """Whether there may be changes that the client has not been told."""
        return (self.view is not None and self.view.is_stale) or any(feed.is_stale for feed in self.feeds)

    def on_hint(self, listener: Callable[[], None] | None) -> None:
        """Call ``listener`` whenever there may be changes to tell; None to stop."""
        if self.view is not None:
            self.view.on_hint(listener)
        for feed in self.feeds:
            feed.on_hint(listener)

    def request_line(
        self, command: Command[Any], prompt: bytes, answer: Callable[[bytes], Awaitable[Reply]]
    ) -> None:
        """Write ``+`` and ``prompt``, and pass the client's next line to ``answer``.

        :param answer: called with the line; its result completes the command, as a handler's does.
        """
        self._waiting_command, self._on_line = command, answer
        self.wire.expect_line()
        self._responses.append(b"+ %b\r\n" % prompt)
        self._send()

    def forget_line_request(self) -> None:
        """Forget the command that waits for a line."""
        self._waiting_command = self._on_line = None
        self.sasl.abandon()
        self.on_hint(None)
        self.listen()

    def listen(self) -> None:
        """Let hints of the selected mailbox go to `notices`."""
        if self.notices is not None:
            self.notices.is_idling = False
        if self.view is not None:
            self.view.on_hint(None if self.notices is None else self.notices.hinted)

    def has_put(self, mailbox: IMailbox, uids: Sequence[int]) -> None:
        """The client has put messages into a mailbox: if that is the selected one, it is told of them."""
        view = self.view
        if view is not None and view.expect_changes(mailbox) and self.notices is not None:
            self.notices.made(uids)

    def stop_notices(self) -> None:
        """Tell of changes with answers to commands only."""
        notices, self.notices = self.notices, None
        if notices is not None:
            notices.close()
        self.listen()

    def take_uploads(self) -> Sequence[Sink]:
        """The streamed literals of the command, in its order; the caller closes them."""
        uploads, self.uploads = self.uploads, []
        return uploads

    def drop_uploads(self) -> None:
        """Drop the streamed literals that have arrived, or are arriving."""
        for upload in self.take_uploads():
            upload.close()

    # -- changes of state

    def sign_in(self, account: IAccount, logout: Callable[[], None]) -> None:
        """Make this the session of ``account``."""
        self.account, self._logout = account, logout
        self.wire.limits = self.factory.wire_limits

    def sign_out(self, syntax: Syntax) -> None:
        """Make this the session of nobody, as it was at its beginning; compression stays."""
        logout, self._logout = self._logout, None
        self.stop_notices()
        self.deselect()
        self.drop_uploads()
        self._drop_feeds()
        self.account = None
        self.manner = Manner()
        self.enabled.clear()
        self.kept.clear()
        self._responses.clear()
        self.wire.utf8, self.wire.syntax, self.wire.limits = False, syntax, self.limits.before_login
        self.signed_out()
        if logout is not None:
            logout()

    def _drop_feeds(self) -> None:
        while self.feeds:
            self.feeds.pop().close()

    def select(self, writer: ViewWriter) -> None:
        """Make a mailbox the selected one; there must be none."""
        self.writer = writer
        self.listen()

    def deselect(self) -> None:
        """Close the selected mailbox, if there is one."""
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.view.close()

    def released(self) -> None:
        """See `ServerConnection.released`."""
        self.sasl.end()

    def closed(self) -> None:
        """See `ServerConnection.closed`."""
        logout, self._logout = self._logout, None
        try:
            self.forget_line_request()
            self.stop_notices()
            self.deselect()
            self.drop_uploads()
            self._drop_feeds()
        finally:
            if logout is not None:
                logout()


class PerSession(Generic[T]):
    """Something that each session has one of, such as the result that SEARCHRES keeps.

    Write ``SAVED = PerSession(SavedResult)`` in a module, and ``SAVED.of(session)`` where it is needed.

    :param make: called for a session when it is needed first.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make

    def of(self, session: Session) -> T:
        """The session's own."""
        try:
            found: T = session.kept[self]
        except KeyError:
            found = session.kept[self] = self._make()
        return found


class PerServer(Generic[T]):
    """Something that all sessions of a factory share.

    :param make: called with the factory when it is needed first.
    """

    def __init__(self, make: Callable[[Resources], T]) -> None:
        self._make = make

    def of(self, session: Session) -> T:
        """The one of the session's server."""
        kept = session.factory.kept
        try:
            found: T = kept[self]
        except KeyError:
            found = kept[self] = self._make(session.factory)
        return found
