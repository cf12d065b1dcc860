"""From a message to the transaction in which it is sent, or is sent on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailproto.model import Outcome
from mailproto.smtp.client._by_chunks import ChunkTransaction
from mailproto.smtp.client._by_data import DataTransaction
from mailproto.smtp.client._message import SESSION_FULL, Message
from mailproto.smtp.client._parameters import Unsendable
from mailproto.smtp.client._plan import plan, refused_address
from mailproto.smtp.client._selection import select
from mailproto.smtp.client._transaction import Transaction

if TYPE_CHECKING:
    from mailproto.smtp.client._session import Session

__all__ = ["next_transaction"]


def next_transaction(client: Session, message: Message) -> Transaction | None:
    """Decide what will be said; None if nothing need be, because everybody has an outcome."""
    capabilities = client.capabilities
    try:
        # Only parameters ask whether the server is verified, and few messages have any.
        is_verified = bool(message.parameters) and client.is_verified
        made = plan(message, capabilities, is_verified=is_verified)
    except Unsendable as error:
        for index, recipient in enumerate(message.recipients):
            message.outcomes[index] = message.outcomes[index] or refused_address(
                recipient.address, capabilities
            )
        message.settle(error.outcome)
        return None
    except OSError as error:
        message.settle(Outcome(451, "4.3.0", f"The message cannot be read: {error.strerror or error}"))
        return None
    selection = select(made, message, capabilities)
    if not selection.recipients:
        return None
    if not client.takes_transaction():
        message.leave(SESSION_FULL)
        return None
    kind = ChunkTransaction if made.by_chunks else DataTransaction
    return kind(client, message, selection)
