"""A message given to a client by a queue, which wants to know more than the outcomes."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from mailproto.model import Outcome
from mailproto.smtp.client._client import SMTPClient
from mailproto.smtp.client._message import Message

__all__ = ["Transmission"]


class Transmission(Message):
    """A message for `SMTPClient`, as `SMTPClient.send` makes it, that tells more about what happened.

    :param sender, recipients, content, parameters: as in `SMTPClient.send`.

    :ivar refusal: the reply if the server refused the message with MAIL, or else None.
    :ivar untried: the indexes of recipients for which no content was sent over this connection, because it
        took no more messages or was lost: another connection may send to them.
    :ivar error: the error with which the connection was lost, if there was a reply before; or else None.
    """

    __slots__ = ()

    def begin(self, client: SMTPClient) -> Deferred[list[Outcome]]:
        """Send it, after the messages that the client has already.

        :returns: fires with the outcomes; or with a `ClientError` if the connection was lost before there
            was any reply about the message.
        """
        return client._session.submit(self)

    @staticmethod
    def has_room(client: SMTPClient, waiting: int) -> bool:
        """Whether the server takes another message after ``waiting`` ones that have not begun (RFC 9422)."""
        return client.is_usable and client._session.takes_transaction(waiting)
