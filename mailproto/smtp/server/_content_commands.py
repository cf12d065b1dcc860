"""DATA and BDAT: receiving the content and delivering it (RFC 5321 4.1.1.4, RFC 3030)."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from mailproto.awaiting import hint
from mailproto.content import Content
from mailproto.errors import MailError, Refused, Unavailable
from mailproto.model import Envelope, Outcome
from mailproto.observing import Accepted, Delivered, Refusal
from mailproto.smtp.server import _replies as replies
from mailproto.smtp.server._authentication_results import without_own_results
from mailproto.smtp.server._error_budget import ContentRate
from mailproto.smtp.server._reception import ChunkedReception, DiscardedChunk, Reception
from mailproto.smtp.server._spool import Spool
from mailproto.smtp.server._submission import complete_header
from mailproto.smtp.server._trace import TraceWriter, count_received, lowered, shown_message_id
from mailproto.smtp.server._transaction import Transaction
from mailproto.smtp.wire import Bdat, ChunkedText, ChunkEnd, Data, DataChunk, DataEnd, render_reply

if TYPE_CHECKING:
    from mailproto.smtp.server._server import SMTPServer

__all__ = ["bdat", "chunk_end", "data", "data_chunk", "data_end"]

_TIME_SLICE = 0.005
"""Seconds for which telling an observer of a message's recipients may hold the reactor at a time."""


def data(server: SMTPServer, event: Data) -> None:
    """DATA: ask for the content."""
    transaction = server.transaction
    if transaction is None:
        server.misplaced(server.access_refusal() or replies.MAIL_FIRST)
    elif not transaction.recipients:
        server.misplaced(replies.NO_RECIPIENTS)
    elif server.reception is not None:
        server.error(replies.NOT_BETWEEN_CHUNKS)
    elif transaction.parameters and transaction.is_binary:
        server.error(replies.BINARY_NEEDS_BDAT, "DATA")
    else:
        server.wire.expect_content()
        server.reception = Reception(_spool(server), ContentRate(server.limits, server.clock.seconds()))
        server.write(replies.SEND_CONTENT)


def bdat(server: SMTPServer, event: Bdat) -> None:
    """BDAT: take or discard the chunk, which follows in any case."""
    transaction = server.transaction
    refusal = None
    if transaction is None:
        refusal = server.access_refusal() or replies.MAIL_FIRST
    elif not transaction.recipients:
        refusal = server.no_recipients(last=event.last)
    elif not server.extended:
        refusal = replies.HELLO_FIRST
    elif server.reception is None:
        server.reception = ChunkedReception(
            _spool(server),
            ContentRate(server.limits, server.clock.seconds()),
            None if transaction.is_binary else _chunked_text(server),
        )
    if refusal is not None:
        server.reception = DiscardedChunk(refusal, ContentRate(server.limits, server.clock.seconds()))
    elif isinstance(server.reception, ChunkedReception):
        server.reception.expect(event.size)


def data_chunk(server: SMTPServer, event: DataChunk) -> None:
    """Keep some of the content."""
    reception = server.reception
    assert reception is not None  # noqa: S101 - content comes after DATA and BDAT only
    reception.write(event.octets, server.clock.seconds())


def data_end(server: SMTPServer, event: DataEnd) -> Coroutine[Any, Any, None]:
    """The end of the content after DATA: deliver the message."""
    reception = server.reception
    assert isinstance(reception, Reception)  # noqa: S101 - its end comes after DATA only
    reception.end(event.octets, event.fault)
    return _deliver(server, reception)


def chunk_end(server: SMTPServer, event: ChunkEnd) -> Coroutine[Any, Any, None] | None:
    """The end of a chunk: answer it, or deliver the message after the last chunk."""
    reception = server.reception
    assert reception is not None  # noqa: S101 - a BDAT came before
    reception.write(event.octets, server.clock.seconds())
    if isinstance(reception, DiscardedChunk):
        server.reception = None
        server.misplaced(reception.reply)
        return None
    assert isinstance(reception, ChunkedReception)  # noqa: S101 - after DATA there are no chunks
    if event.last:
        return _deliver(server, reception)
    if (error := reception.error) is not None:
        if not reception.is_refused:
            reception.is_refused = True
            server.log_refusal(event, error)
        # The client may have sent these chunks before it could read the first refusal, so they do not
        # count as errors.
        server.write(render_reply(error.code, error.enhanced, error.text))
    elif event.octets:
        server.write(replies.CHUNK_TAKEN)
    else:
        server.answer_idle_command(replies.CHUNK_TAKEN)
    return None


async def _deliver(server: SMTPServer, reception: Reception) -> None:
    transaction = server.transaction
    assert transaction is not None  # noqa: S101 - it is only forgotten together with the reception
    server.reception = server.transaction = None
    server.error_budget.message()
    envelope = transaction.envelope(server.factory.next_id(), server.session)
    session_log, size, began = server.session_log, reception.size, server.clock.seconds()
    client = session_log.client
    message_id = ""
    content: Content | None = None
    try:
        content, message_id = _arrived(server, reception, transaction, envelope, began)
        answered = server.delivery.deliver(envelope, content)
        # A list is the usual case; Deferred is abstract, so Python has to look for its instances.
        if type(answered) is list or not isinstance(answered, Deferred):
            outcomes: Sequence[Outcome] = answered
        else:
            outcomes = await answered
    except MailError as error:
        outcomes = _same_for_all(envelope, error)
        if content is None:
            server.delivery.reset()
    except GeneratorExit:  # the coroutine was dropped: there will be no reply
        raise
    except BaseException as error:  # asyncio's CancelledError is not an Exception
        server.log.failure("{id}: delivering the message failed{hint}", id=envelope.id, hint=_hint(error))
        detail = f"{type(error).__name__}: see the traceback in the log"
        outcomes = _same_for_all(envelope, Unavailable(detail=detail))
    finally:
        if content is not None:
            content.close()
        reception.release()
    answer = server.content_answer(outcomes)
    observer = server.observer
    event = Accepted(client, envelope, outcomes, size, message_id, server.clock.seconds() - began)
    if answer is None:
        session_log.taken += 1
        observer.accepted(event)
    else:
        observer.refused(Refusal.of_message(event, answer))
    if observer.needs_single or (len(outcomes) > 1 and observer.needs_several):
        await _tell_recipients(server, event)
    server.answer_content(envelope, outcomes, answer)


async def _tell_recipients(server: SMTPServer, message: Accepted) -> None:
    began = server.clock.seconds()
    envelope = message.envelope
    # One reply for all: if it is 250, the sender learns of refusals only by a report, which DSN promises.
    is_told = (
        server.answers_each
        or server.factory.service_extensions.dsn
        or not any(outcome.accepted for outcome in message.outcomes)
    )
    for recipient, outcome in zip(envelope.recipients, message.outcomes, strict=True):
        event = Delivered(message.client, envelope, recipient, outcome, is_told or outcome.accepted)
        server.observer.delivered(event)
        if server.clock.seconds() - began >= _TIME_SLICE:
            await deferLater(cast(IReactorTime, server.clock), 0)
            began = server.clock.seconds()


def _hint(error: BaseException) -> str:
    """What to write instead of a Content where octets are needed; Python's own error does not say."""
    if isinstance(error, TypeError) and any(word in str(error) for word in ("Content", "buffer")):
        return ": where octets are needed, write bytes(content); for a file, content.open()"
    return hint(error)


def _same_for_all(envelope: Envelope, error: MailError) -> list[Outcome]:
    outcome = Outcome(error.code, error.enhanced, error.text, error.detail)
    return [outcome] * len(envelope.recipients)


def _arrived(
    server: SMTPServer, reception: Reception, transaction: Transaction, envelope: Envelope, now: float
) -> tuple[Content, str]:
    """The content with the fields that this server adds, and the Message-ID for the log.

    :raises MailError: the message is refused.
    """
    message = reception.finish()
    lower = lowered(message.header)
    if count_received(lower) >= server.limits.hops:
        message.discard()
        raise Refused(554, "5.4.6", "Too many Received fields: the message goes in circles")
    message_id = shown_message_id(message.header, lower)
    factory = server.factory
    if factory.faces_internet:
        message.header = without_own_results(message.header, lower, factory.hostname)
    if factory.submission:
        message.header = complete_header(message.header, envelope, now)
        message_id = message_id or shown_message_id(message.header, lowered(message.header))
    trace = server.trace
    if trace is None:
        trace = server.trace = TraceWriter(server.session, name_account=factory.trace_account)
    priority = transaction.priority if transaction.parameters else ""
    field = trace.received(envelope.id, envelope.recipients, now, utf8=transaction.utf8, priority=priority)
    return message.content(field), message_id


def _chunked_text(server: SMTPServer) -> ChunkedText:
    text_line = server.limits.wire.text_line
    return ChunkedText(normalise=server.factory.normalise_newlines, text_line=text_line)


def _spool(server: SMTPServer) -> Spool:
    factory = server.factory
    return Spool(factory.max_message_size, factory.spool_folder, server.limits, server.room_claim)
