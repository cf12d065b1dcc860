"""DATA and BDAT: the content comes, and goes to the delivery (RFC 5321 4.1.1.4, RFC 3030)."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from mailproto.content import Content, FileContent
from mailproto.errors import Refused
from mailproto.model import Envelope
from mailproto.smtp import _replies as replies
from mailproto.smtp._authentication_results import without_own_results
from mailproto.smtp._patience import Pace
from mailproto.smtp._reception import ChunkedReception, DiscardedChunk, Reception
from mailproto.smtp._spool import Spool
from mailproto.smtp._submission import complete_header
from mailproto.smtp._trace import TraceWriter, count_received, lowered
from mailproto.smtp._transaction import Transaction
from mailproto.smtp.wire import Bdat, ChunkedText, ChunkEnd, Data, DataChunk, DataEnd, render_reply

if TYPE_CHECKING:
    from mailproto.smtp.server import SMTPServer

__all__ = ["bdat", "chunk_end", "data", "data_chunk", "data_end"]


def data(session: SMTPServer, event: Data) -> None:
    """Ask for the content."""
    transaction = session.transaction
    if transaction is None:
        session.misplaced(session.shut() or replies.MAIL_FIRST)
    elif not transaction.recipients:
        session.misplaced(replies.NO_RECIPIENTS)
    elif session.reception is not None:
        session.error(replies.NOT_BETWEEN_CHUNKS)
    elif transaction.parameters and transaction.is_binary:
        session.error(replies.BINARY_NEEDS_BDAT)
    else:
        session.wire.expect_content()
        session.reception = Reception(_spool(session), Pace(session.limits, session.clock.seconds()))
        session.write(replies.SEND_CONTENT)


def bdat(session: SMTPServer, event: Bdat) -> None:
    """Take or discard the chunk that follows in any case."""
    transaction = session.transaction
    refusal = None
    if transaction is None:
        refusal = session.shut() or replies.MAIL_FIRST
    elif not transaction.recipients:
        refusal = session.no_recipients(last=event.last)
    elif not session.extended:
        refusal = replies.HELLO_FIRST
    elif session.reception is None:
        session.reception = ChunkedReception(
            _spool(session),
            Pace(session.limits, session.clock.seconds()),
            None if transaction.is_binary else _chunked_text(session),
        )
    if refusal is not None:
        session.reception = DiscardedChunk(refusal, Pace(session.limits, session.clock.seconds()))
    elif isinstance(session.reception, ChunkedReception):
        session.reception.expect(event.size)


def data_chunk(session: SMTPServer, event: DataChunk) -> None:
    """Keep some of the content."""
    reception = session.reception
    assert reception is not None  # noqa: S101 - content comes behind DATA and BDAT only
    reception.write(event.octets, session.clock.seconds())


def data_end(session: SMTPServer, event: DataEnd) -> Coroutine[Any, Any, None]:
    """The dot."""
    reception = session.reception
    assert isinstance(reception, Reception)  # noqa: S101 - so does its end
    reception.end(event.octets, event.fault)
    return _deliver(session, reception)


def chunk_end(session: SMTPServer, event: ChunkEnd) -> Coroutine[Any, Any, None] | None:
    """A chunk is there: one reply for it, or the message's."""
    reception = session.reception
    assert reception is not None  # noqa: S101 - a BDAT came before
    reception.write(event.octets, session.clock.seconds())
    if isinstance(reception, DiscardedChunk):
        session.reception = None
        session.misplaced(reception.reply)
        return None
    assert isinstance(reception, ChunkedReception)  # noqa: S101 - behind DATA there are no chunks
    if event.last:
        return _deliver(session, reception)
    if (error := reception.error) is not None:
        # Chunks that were sent before the first of these could be read are no further mistake.
        session.write(render_reply(error.code, error.enhanced, error.text))
    elif event.octets:
        session.write(replies.CHUNK_TAKEN)
    else:
        session.small_talk(replies.CHUNK_TAKEN)
    return None


async def _deliver(session: SMTPServer, reception: Reception) -> None:
    transaction = session.transaction
    assert transaction is not None  # noqa: S101 - nothing forgets it and leaves the reception
    session.reception = session.transaction = None
    session.patience.message()
    factory = session.factory
    envelope = session.delivering = transaction.envelope(factory.next_id(), session.session)
    content = _arrived(session, reception, transaction, envelope)
    try:
        outcomes = await factory.delivery.deliver(envelope, content)
    finally:
        if isinstance(content, FileContent):
            content.close()
    if len(outcomes) != len(envelope.recipients):
        raise ValueError(f"{len(outcomes)} outcomes for {len(envelope.recipients)} recipients")
    session.answer_content(envelope, outcomes)


def _arrived(
    session: SMTPServer, reception: Reception, transaction: Transaction, envelope: Envelope
) -> Content:
    """The content, with what this server adds to it.

    :raises MailError: it is not taken.
    """
    message = reception.finish()
    lower = lowered(message.header)
    if count_received(lower) >= session.limits.hops:
        message.discard()
        raise Refused(554, "5.4.6", "Too many Received fields: the message goes in circles")
    factory = session.factory
    if factory.is_border:
        message.header = without_own_results(message.header, lower, factory.hostname)
    seconds = session.clock.seconds()
    if factory.submission:
        message.header = complete_header(message.header, envelope, seconds)
    trace = session.trace
    if trace is None:
        trace = session.trace = TraceWriter(session.session, name_account=factory.trace_account)
    priority = transaction.priority if transaction.parameters else ""
    field = trace.received(
        envelope.id, envelope.recipients, seconds, utf8=transaction.utf8, priority=priority
    )
    return message.content(field)


def _chunked_text(session: SMTPServer) -> ChunkedText:
    text_line = session.limits.wire.text_line
    return ChunkedText(normalise=session.factory.normalise_newlines, text_line=text_line)


def _spool(session: SMTPServer) -> Spool:
    factory = session.factory
    return Spool(factory.max_message_size, factory.spool_folder, session.limits)
