"""MAIL and RCPT: a transaction is put together (RFC 5321 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailproto.domains import is_valid_international
from mailproto.errors import Refused
from mailproto.model import Address, Recipient
from mailproto.smtp import _replies as replies
from mailproto.smtp._parameters import check_mail, check_rcpt
from mailproto.smtp._transaction import Transaction
from mailproto.smtp.wire import Mail, Rcpt

if TYPE_CHECKING:
    from mailproto.smtp.server import SMTPServer

__all__ = ["mail", "rcpt"]


async def mail(session: SMTPServer, event: Mail) -> None:
    """Begin a transaction, if the delivery takes the sender."""
    if session.hello is None:
        session.patience.forgive()
        session.error(replies.HELLO_FIRST)
    elif session.transaction is not None:
        session.error(replies.NESTED_MAIL)
    elif shut := session.shut():
        session.patience.forgive()
        session.error(shut)
    elif session.patience.transaction():
        session.end(replies.TOO_MANY_TRANSACTIONS)
    else:
        utf8 = False
        if event.parameters:
            utf8 = check_mail(event.parameters, session.offers, session.clock.seconds()).utf8
        _check_path(event.path, utf8, "5.1.7")
        gate = session.factory.gate
        if gate is not None:
            await gate.sender(session, event.path)
        await session.factory.delivery.sender(session.session, event.path, event.parameters)
        session.transaction = Transaction(event.path, event.parameters, utf8)
        session.write(replies.SENDER_OK)


async def rcpt(session: SMTPServer, event: Rcpt) -> None:
    """Add a recipient, if the delivery takes it."""
    transaction = session.transaction
    if transaction is None:
        session.misplaced(session.shut() or replies.MAIL_FIRST)
    elif session.reception is not None:
        session.error(replies.NOT_BETWEEN_CHUNKS)
    elif len(transaction.recipients) >= session.limits.recipients:
        session.write(replies.TOO_MANY_RECIPIENTS)
    else:
        if event.parameters:
            check_rcpt(event.parameters, session.offers)
        _check_path(event.path, transaction.utf8, "5.1.3")
        gate = session.factory.gate
        if gate is not None:
            gate.recipient(session)
        await session.factory.delivery.recipient(session.session, event.path, event.parameters)
        transaction.recipients.append(Recipient(event.path, event.parameters))
        session.write(replies.RECIPIENT_OK)


def _check_path(path: Address, utf8: bool, enhanced: str) -> None:
    """What a path's syntax leaves open.

    :raises Refused: an internationalised address in a transaction that is not (RFC 6531 3.4),
        and a domain that only looks like an internationalised one.
    """
    domain = path.domain
    if not (path.local.isascii() and domain.isascii()):
        if not utf8:
            raise Refused(553, "5.6.7", "An internationalised address needs SMTPUTF8")
    elif "--" not in domain:
        return
    if not is_valid_international(domain, idna2003=True):
        raise Refused(501, enhanced, "Bad internationalised domain")
