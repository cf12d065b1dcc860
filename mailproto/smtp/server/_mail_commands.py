"""MAIL and RCPT: the envelope of a transaction (RFC 5321 3.3)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from mailproto.domains import is_valid_international
from mailproto.errors import Refused
from mailproto.model import Address, Recipient
from mailproto.smtp.server import _replies as replies
from mailproto.smtp.server._parameters import check_mail, check_rcpt
from mailproto.smtp.server._transaction import Transaction
from mailproto.smtp.wire import Mail, Rcpt

if TYPE_CHECKING:
    from mailproto.smtp.server._sending_policy import ClientPolicy
    from mailproto.smtp.server._server import SMTPServer

__all__ = ["mail", "rcpt"]


def mail(server: SMTPServer, event: Mail) -> Awaitable[None] | None:
    """MAIL: begin a transaction, if the delivery accepts the sender.

    This and `rcpt` are coroutines only where something has to be waited for.
    """
    if server.hello is None:
        server.error_budget.excuse_pipelined()
        server.error(replies.HELLO_FIRST, "MAIL", event)
    elif server.transaction is not None:
        server.error(replies.NESTED_MAIL)
    elif access_refusal := server.access_refusal():
        server.error_budget.excuse_pipelined()
        server.error(access_refusal, "MAIL", event)
    elif server.error_budget.transaction():
        server.write_refusal(replies.TOO_MANY_TRANSACTIONS, event)
        server.end(reason="too many messages")
    else:
        utf8 = False
        if event.parameters:
            utf8 = check_mail(event.parameters, server.offers, server.clock.seconds()).utf8
        _check_path(event.path, utf8, "5.1.7")
        policy = server.sending_policy
        if policy is not None:
            policy.count_message(server.clock.seconds())
            if policy.own_senders:
                return _own_sender(server, event, policy, utf8)
        return _ask_sender(server, event, utf8)
    return None


async def _own_sender(server: SMTPServer, event: Mail, policy: ClientPolicy, utf8: bool) -> None:
    await policy.check_sender(event.path)
    asked = _ask_sender(server, event, utf8)
    if asked is not None:
        await asked


def _ask_sender(server: SMTPServer, event: Mail, utf8: bool) -> Awaitable[None] | None:
    asked = server.delivery.sender(event.path, event.parameters)
    if asked is not None:
        return _begin_later(server, event, utf8, asked)
    _begin(server, event, utf8)
    return None


async def _begin_later(server: SMTPServer, event: Mail, utf8: bool, asked: Awaitable[None]) -> None:
    await asked
    _begin(server, event, utf8)


def _begin(server: SMTPServer, event: Mail, utf8: bool) -> None:
    server.transaction = Transaction(event.path, event.parameters, utf8)
    server.write(replies.SENDER_OK)


def rcpt(server: SMTPServer, event: Rcpt) -> Awaitable[None] | None:
    """RCPT: add a recipient, if the delivery accepts it."""
    transaction = server.transaction
    if transaction is None:
        server.misplaced(server.access_refusal() or replies.MAIL_FIRST)
    elif server.reception is not None:
        server.error(replies.NOT_BETWEEN_CHUNKS)
    elif len(transaction.recipients) >= server.limits.recipients:
        server.write_refusal(replies.TOO_MANY_RECIPIENTS, event)
    else:
        if event.parameters:
            check_rcpt(event.parameters, server.offers)
        _check_path(event.path, transaction.utf8, "5.1.3")
        policy = server.sending_policy
        if policy is not None:
            policy.count_recipient(server.clock.seconds())
        asked = server.delivery.recipient(event.path, event.parameters)
        if asked is not None:
            return _add_later(server, transaction, event, asked)
        _add(server, transaction, event)
    return None


async def _add_later(
    server: SMTPServer, transaction: Transaction, event: Rcpt, asked: Awaitable[None]
) -> None:
    await asked
    _add(server, transaction, event)


def _add(server: SMTPServer, transaction: Transaction, event: Rcpt) -> None:
    transaction.recipients.append(Recipient(event.path, event.parameters))
    server.write(replies.RECIPIENT_OK)


def _check_path(path: Address, utf8: bool, enhanced: str) -> None:
    """Check a path beyond its syntax.

    :raises Refused: an internationalised address in a transaction without SMTPUTF8 (RFC 6531 3.4), or
        a domain that is not a valid international name.
    """
    domain = path.domain
    if not (path.local.isascii() and domain.isascii()):
        if not utf8:
            raise Refused(553, "5.6.7", "An internationalised address needs SMTPUTF8")
    elif "--" not in domain:
        return
    if not is_valid_international(domain, idna2003=True):
        raise Refused(501, enhanced, "Bad internationalised domain")
