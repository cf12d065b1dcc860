"""A transaction that the client's user sends command by command (RFC 5321 3.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailproto.client.base import Turn
from mailproto.client.errors import (
    ClientError,
    CommandRefused,
    ConnectionLost,
    NotOffered,
    OutOfOrder,
    ProtocolViolation,
)
from mailproto.content import Octets
from mailproto.model import Address, Outcome, Parameters, Recipient
from mailproto.smtp.client._content import bdat_chunks, data_pieces
from mailproto.smtp.client._plan import (
    RCPT_PARAMETERS,
    STEP_PARAMETERS,
    Unsendable,
    check_size,
    kept,
    refused_address,
    render_address,
)
from mailproto.smtp.client._transaction import END_OF_DATA
from mailproto.smtp.wire import Capabilities, Reply, render_path

if TYPE_CHECKING:
    from mailproto.smtp.client._session import SMTPSession

__all__ = ["Step", "Steps"]

MAX_CHUNKS: Final = 8
"""Chunks of `PIECE` octets that may be sent before the first of them is answered."""

_NO_MAIL: Final = "There is no transaction: `mail` comes first"


class Step(Turn):
    """A RCPT: with PIPELINING, the next one need not wait for its reply.

    :param begin: checks the order, sends the command, and returns its reply.
    :param cancelled: called if the result is cancelled after the command was sent.
    """

    __slots__ = ("_begin", "result")

    def __init__(
        self,
        begin: Callable[[], Deferred[Reply]],
        drop: Callable[[Turn], bool],
        cancelled: Callable[[], None],
    ) -> None:
        def cancel(_: Deferred[Reply]) -> None:
            if not drop(self):
                cancelled()

        self._begin = begin
        self.result: Deferred[Reply] = Deferred(cancel)

    def begin(self) -> None:
        """Send the command."""
        try:
            self._begin().addBoth(self._ended)
        except Exception as error:
            self.result.errback(error)

    def _ended(self, result: Reply | Failure) -> None:
        if not self.result.called:  # it was cancelled
            self.result.callback(result)

    def fail(self, error: ClientError) -> None:
        """The connection ended before its turn."""
        self.result.errback(error)


class Steps:
    """The state of the transaction, and its commands; each method of a command is called in its turn.

    The transaction is over, and `mail` begins the next one, after `data` or `bdat`, or once anything else
    (`rset`, EHLO, another message) has ended it.  If a command was cancelled whose reply had not come,
    nobody knows the server's state, so the transaction is given up then, too.
    """

    def __init__(self, session: SMTPSession) -> None:
        self._session = session
        self._number = 0  # of the transaction, among those of the session
        self._accepted = 0  # recipients
        self._is_utf8 = self._is_binary = False
        self.unanswered = 0  # RCPTs

    @property
    def is_open(self) -> bool:
        """Whether the server is in the transaction that `mail` began."""
        return self._session.has_transaction and self._number == self._session.transactions

    def give_up(self) -> None:
        """End the transaction here; `mail` and `send` say RSET to the server before they begin another."""
        self._number = 0

    # -- commands

    async def mail(self, sender: Address, parameters: Parameters) -> Reply:
        """MAIL, after RSET if the server is still in another transaction."""
        session = self._session
        if self.is_open:
            raise OutOfOrder("A transaction has begun already: send its content, or end it with `rset`")
        line, chosen = mail_line(sender, parameters, session.capabilities, is_verified=session.is_verified)
        self._number = session.transactions + 1  # first of all, so that `give_up` holds from now on
        if session.has_transaction:
            reply = await session.exchange("RSET", b"RSET\r\n")
            if reply.code >= 400:
                raise session.fail(ProtocolViolation(f"The server refused RSET with {reply}"))
            session.has_transaction = False
        session.transactions += 1
        self._accepted = 0
        self._is_utf8 = "SMTPUTF8" in chosen
        self._is_binary = (chosen.get("BODY") or "").upper() == "BINARYMIME"
        reply = await session.exchange("MAIL", line, session.timeouts.mail)
        _check(reply)
        session.has_transaction = True
        return reply

    def rcpt(self, recipient: Recipient) -> Step:
        """A RCPT, to be put into the session's queue."""
        return Step(lambda: self._rcpt(recipient), self._session.drop, self.give_up)

    def _rcpt(self, recipient: Recipient) -> Deferred[Reply]:
        session = self._session
        if not self.is_open:
            raise OutOfOrder(_NO_MAIL)
        line = rcpt_line(recipient, session.capabilities, is_utf8=self._is_utf8)
        self.unanswered += 1
        return session.exchange("RCPT", line, session.timeouts.recipient).addBoth(self._on_rcpt)

    def _on_rcpt(self, reply: Reply | Failure) -> Reply | Failure:
        self.unanswered -= 1
        if isinstance(reply, Failure):
            return reply
        if reply.code < 400:
            self._accepted += 1
        self._session.advance()
        _check(reply)
        return reply

    async def rset(self) -> Reply:
        """RSET, whether or not there is a transaction."""
        session = self._session
        reply = await session.exchange("RSET", b"RSET\r\n")
        _check(reply)
        session.has_transaction = False
        return reply

    async def data(self, content: Octets) -> list[Outcome]:
        """DATA, and the content."""
        session, timeouts = self._session, self._session.timeouts
        if self.is_open and self._is_binary:
            raise OutOfOrder("A binary message (BODY=BINARYMIME) is sent with `bdat`")
        self._end(content)
        _check(await session.exchange("DATA", b"DATA\r\n", timeouts.data))
        replies = await session.stream(
            END_OF_DATA,
            data_pieces(content),
            timeouts.final,
            block=timeouts.block,
            answers=self._answers,
        )
        return self._outcomes(replies)

    async def bdat(self, content: Octets) -> list[Outcome]:
        """BDAT, as often as it takes.

        In LMTP, the last chunk is sent only after the others were taken: no RFC says how many replies there
        are to a last chunk after a refused one.
        """
        session, timeouts = self._session, self._session.timeouts
        self._end(content)
        if "CHUNKING" not in session.capabilities:
            raise NotOffered(Outcome(554, "5.6.3", "The server does not offer CHUNKING"))
        unanswered: deque[Deferred[Reply | BaseException]] = deque()
        last = b""
        for chunk, is_last in self._chunks(content):
            while len(unanswered) >= (1 if is_last else MAX_CHUNKS):
                await _taken(unanswered)
            if is_last:
                last = chunk
            else:
                asked = session.exchange("BDAT", chunk, timeouts.block)
                unanswered.append(asked.addErrback(_value))
        replies = await session.stream(
            "BDAT", iter([last]), timeouts.final, block=timeouts.block, answers=self._answers
        )
        return self._outcomes(replies)

    # -- content

    @property
    def _answers(self) -> int:
        """The number of replies to the content (RFC 2033 4.2)."""
        return self._accepted if self._session.answers_each else 1

    def _end(self, content: Octets) -> None:
        """The transaction is over, whatever becomes of the content.

        Where the server has not ended it, after it has refused DATA or a chunk (RFC 3030 2), RSET does.
        """
        if not self.is_open:
            raise OutOfOrder(_NO_MAIL)
        if not self._accepted:
            raise OutOfOrder("The server has accepted no recipient: `rcpt` comes first")
        self.give_up()
        try:
            check_size(len(content), self._session.capabilities)
        except Unsendable as error:
            raise NotOffered(error.outcome) from None

    def _chunks(self, content: Octets) -> Iterator[tuple[bytes, bool]]:
        try:
            yield from bdat_chunks(content, is_text=not self._is_binary)
        except Exception as error:
            lost = ConnectionLost(f"What was to be sent cannot be read: {error}")
            raise self._session.fail(lost) from None

    def _outcomes(self, replies: Sequence[Reply]) -> list[Outcome]:
        """The outcome for each accepted recipient, with the server's words for the log."""
        self._session.has_transaction = False
        if not self._session.answers_each:
            _check(replies[0])
            replies = [replies[0]] * self._accepted
        return [replace(reply.outcome(), detail=reply.summary) for reply in replies]


async def _taken(unanswered: deque[Deferred[Reply | BaseException]]) -> None:
    """Wait for the first reply; after a refusal, for all.

    :raises CommandRefused: the chunk was refused.
    """
    reply = await unanswered.popleft()
    if isinstance(reply, Reply) and reply.code >= 400:
        for each in list(unanswered):
            await each
    if isinstance(reply, BaseException):
        raise reply
    _check(reply)


def _value(failure: Failure) -> BaseException:
    return failure.value or ConnectionLost()


def _check(reply: Reply) -> None:
    """:raises CommandRefused:"""
    if reply.code >= 400:
        raise CommandRefused(reply=reply)


# -- commands, as far as the server offers what they need


def mail_line(
    sender: Address, parameters: Parameters, capabilities: Capabilities, *, is_verified: bool
) -> tuple[bytes, Parameters]:
    """The MAIL command, and the parameters that it has.

    :raises NotOffered: the server does not offer what the parameters or the address need.
    """
    wishes = {keyword.upper(): value for keyword, value in parameters.items()}
    if not sender.local.isascii():
        wishes.setdefault("SMTPUTF8", None)
    try:
        chosen = kept(wishes, STEP_PARAMETERS, capabilities, is_verified=is_verified)
    except Unsendable as error:
        raise NotOffered(error.outcome) from None
    return render_path("MAIL FROM", render_address(sender), chosen), chosen


def rcpt_line(recipient: Recipient, capabilities: Capabilities, *, is_utf8: bool) -> bytes:
    """The RCPT command.

    :param is_utf8: whether MAIL had SMTPUTF8.
    :raises NotOffered: the server does not offer what the parameters or the address need.
    """
    address = recipient.address
    wishes = {keyword.upper(): value for keyword, value in recipient.parameters.items()}
    try:
        chosen = kept(wishes, RCPT_PARAMETERS, capabilities)
    except Unsendable as error:
        raise NotOffered(error.outcome) from None
    if (refusal := refused_address(address, capabilities)) is not None:
        raise NotOffered(refusal)
    if not (is_utf8 or address.local.isascii()):
        raise NotOffered(Outcome(553, "5.6.7", "MAIL was sent without SMTPUTF8, which this recipient needs"))
    return render_path("RCPT TO", render_address(address), chosen)
