"""Calls the delivery for one connection, and checks what it returns."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from mailproto._twisted_arguments import provided
from mailproto.awaiting import has_nothing_to_do
from mailproto.content import Content
from mailproto.errors import MailError, Unavailable
from mailproto.interfaces import IDeliverySession, IDeliverySessions
from mailproto.model import Address, Envelope, Outcome, Parameters

if TYPE_CHECKING:
    from mailproto.smtp.server._server import SMTPServer

__all__ = ["DELIVERED", "DeliveryCalls"]

DELIVERED = Outcome(250, "2.0.0", "Delivered")
"""The outcome of a message that the delivery accepted without words of its own."""

_HOW_TO_ANSWER = "return None to accept, raise mailproto.errors.Refused(550, '5.7.1', 'text') to refuse"


class DeliveryCalls:
    """Calls the delivery for one connection.

    Of `IDeliverySessions`, the connection has an `IDeliverySession` of its own.  Calls never overlap: a
    reset that takes time delays the next call.
    """

    __slots__ = (
        "_any_recipient",
        "_any_sender",
        "_delivery",
        "_limit",
        "_resetting",
        "_server",
        "_session",
    )

    def __init__(self, server: SMTPServer) -> None:
        self._server = server
        self._use(server.factory.delivery)
        self._limit = server.limits.delivery
        self._session: IDeliverySession | None = None
        self._resetting: Deferred[Any] | None = None

    def _use(self, delivery: Any) -> None:
        self._delivery = delivery
        self._any_sender = has_nothing_to_do(getattr(delivery, "sender", None))
        self._any_recipient = has_nothing_to_do(getattr(delivery, "recipient", None))

    def begin(self) -> Awaitable[None] | None:
        """Begin the delivery's session, if it has sessions.

        :raises MailError: the client is turned away.
        """
        return None if provided(IDeliverySessions, self._delivery) is None else self._begin()

    async def _begin(self) -> None:
        try:
            sessions = self._delivery
            begun = await self._settled(sessions.begin(self._server.session), sessions, "begin")
            if provided(IDeliverySession, begun) is None:
                raise self._wrong("begin", begun, "return an object that provides IDeliverySession")
        except MailError:
            raise
        except (Exception, CancelledError) as error:
            self._server.log.failure("error while beginning a delivery's session")
            raise Unavailable(detail=f"{type(error).__name__}: see the traceback in the log") from error
        self._session = begun
        self._use(begun)
        if not self._server.is_open:
            self.end()

    def sender(self, path: Address, parameters: Parameters) -> Awaitable[None] | None:
        """See `IDelivery.sender`."""
        if self._resetting is not None:
            return self._after_reset(self.sender, path, parameters)
        if self._any_sender:
            return None
        server, delivery = self._server, self._delivery
        result = delivery.sender(server.session, path, parameters)
        if result is not None:
            result = server.call(result, delivery, "sender", self._limit)
        return None if result is None else self._not_at_once(result, "sender")

    def recipient(self, path: Address, parameters: Parameters) -> Awaitable[None] | None:
        """See `IDelivery.recipient`."""
        if self._any_recipient:
            return None
        server, delivery = self._server, self._delivery
        result = delivery.recipient(server.session, path, parameters)
        if result is not None:
            result = server.call(result, delivery, "recipient", self._limit)
        return None if result is None else self._not_at_once(result, "recipient")

    def deliver(
        self, envelope: Envelope, content: Content
    ) -> Sequence[Outcome] | Deferred[Sequence[Outcome]]:
        """See `IDelivery.deliver`; returns an outcome for each recipient."""
        delivery = self._delivery
        answer = self._server.call(delivery.deliver(envelope, content), delivery, "deliver", self._limit)
        if type(answer) is Deferred:
            return answer.addCallback(self._outcomes, len(envelope.recipients))
        return self._outcomes(answer, len(envelope.recipients))

    def reset(self) -> None:
        """Tell the session that a transaction has ended without `deliver`."""
        if self._session is not None:
            resetting = Deferred.fromCoroutine(self._reset(self._session))
            if not resetting.called:
                self._resetting = resetting

    def end(self) -> None:
        """Tell the session that the connection has ended."""
        session, self._session = self._session, None
        self._use(self._server.factory.delivery)
        if session is not None:
            Deferred.fromCoroutine(self._end(session)).addBoth(self._server.factory.unfinished(self._server))

    async def _reset(self, session: IDeliverySession) -> None:
        try:
            await self._settled(session.reset(), session, "reset")
        except (Exception, CancelledError):  # asyncio's error of a cancelled task is no Exception
            self._server.log.failure("error while resetting a delivery's session")
        self._resetting = None

    async def _end(self, session: IDeliverySession) -> None:
        try:
            if self._resetting is not None:
                await self._resetting
            await self._settled(session.end(), session, "end")
        except (Exception, CancelledError):
            self._server.log.failure("error while ending a delivery's session")

    async def _after_reset(self, ask: Any, *arguments: Any) -> None:
        await self._resetting  # type: ignore[misc]  # it is a Deferred until it has fired
        asked = ask(*arguments)
        if asked is not None:
            await asked

    def _not_at_once(self, result: Any, name: str) -> Awaitable[None]:
        """An address that was not accepted at once."""
        if type(result) is Deferred:
            return result.addCallback(self._check_acceptance, name)
        raise self._wrong(name, result, _HOW_TO_ANSWER)

    def _check_acceptance(self, answer: object, name: str) -> None:
        if answer is not None:
            raise self._wrong(name, answer, _HOW_TO_ANSWER)

    def _outcomes(self, outcomes: Any, number: int) -> Sequence[Outcome]:
        if outcomes is None:
            return [DELIVERED] * number
        # A list is the usual case; `Sequence` takes Python longer to find out.
        if (type(outcomes) is list or isinstance(outcomes, Sequence)) and len(outcomes) == number:
            for outcome in outcomes:
                if not isinstance(outcome, Outcome):
                    break
            else:
                right: Sequence[Outcome] = outcomes
                return right
        what = f"return None to accept for all, or a list of {number} Outcome, one for each recipient"
        raise self._wrong("deliver", outcomes, what)

    async def _settled(self, result: Any, owner: object, name: str) -> Any:
        answer = self._server.call(result, owner, name, self._limit)
        return await answer if isinstance(answer, Deferred) else answer

    def _wrong(self, name: str, result: object, instead: str) -> TypeError:
        if isinstance(result, Awaitable):
            instead = "await it"
        return TypeError(f"{type(self._delivery).__name__}.{name} returned {result!r:.200}: {instead}")
