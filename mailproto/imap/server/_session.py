"""The session of one client: its state, and what handlers of commands use.

Handlers know this class only.  What handles the client's events is `mailproto.imap.server._server`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from mailproto.auth.sasl import SASLServer
from mailproto.connection.commands import State
from mailproto.errors import NoPermission, NoSuchMailbox
from mailproto.imap.server._errors import NotNow, SessionOver
from mailproto.imap.server._limits import IMAPLimits
from mailproto.imap.server._manner import Manner
from mailproto.imap.server._resources import Resources
from mailproto.imap.server._responding import Responder
from mailproto.imap.server._roles import Feed, Notices, Sink
from mailproto.imap.server._view import MailboxView
from mailproto.imap.server._view_writer import ViewWriter
from mailproto.imap.wire import Command, IMAPServerWire, Syntax, encode_mailbox
from mailproto.interfaces import IAccount, IMailbox

__all__ = ["Reply", "Session"]

Reply: TypeAlias = bytes | None
"""What a handler returns: the text of its tagged OK, response code included; None for "NAME completed"."""


class Session(Responder):
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
        """Make this a session without an account, as it was at its beginning; compression stays."""
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
