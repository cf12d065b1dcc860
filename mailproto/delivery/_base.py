"""Base classes for deliveries: they implement the first two steps of `IDelivery`."""

from __future__ import annotations

import abc
import inspect
from collections.abc import Awaitable, Callable, Sequence

from zope.interface import implementer

from mailproto.content import Content
from mailproto.interfaces import IDelivery, IServiceExtensions
from mailproto.model import (
    NO_SERVICE_EXTENSIONS,
    Address,
    Envelope,
    Outcome,
    Parameters,
    ServiceExtensions,
    Session,
)

__all__ = ["Delivery", "FunctionDelivery", "accepted"]

DELIVERED = Outcome(250, "2.0.0", "Delivered")


def accepted(envelope: Envelope) -> list[Outcome]:
    """The result of `IDelivery.deliver` when the message was delivered to every recipient."""
    return [DELIVERED] * len(envelope.recipients)


@implementer(IDelivery, IServiceExtensions)
class Delivery(abc.ABC):
    """An `IDelivery` that accepts every sender and every recipient; override at least `deliver`.

    That alone is no open relay: only `deliver` decides what happens to the message.

    :ivar service_extensions: none, unless a subclass overrides it (`IServiceExtensions`).
    """

    service_extensions: ServiceExtensions = NO_SERVICE_EXTENSIONS

    async def sender(self, session: Session, path: Address, parameters: Parameters) -> None:  # noqa: B027
        """Accept any reverse-path."""

    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:  # noqa: B027
        """Accept any forward-path."""

    @abc.abstractmethod
    async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
        """See `IDelivery.deliver`; end with ``return accepted(envelope)``."""


class FunctionDelivery(Delivery):
    """Calls a function with each message.

    :param function: called with an `Envelope` and the `Content`.  It may be a plain function, a coroutine
        function, or return a ``Deferred``.  Its result is ignored: the message is accepted for all
        recipients unless the function raises (`mailproto.errors`).
    :param service_extensions: the ESMTP extensions that the function honours.
    """

    def __init__(
        self,
        function: Callable[[Envelope, Content], Awaitable[object] | object],
        service_extensions: ServiceExtensions = NO_SERVICE_EXTENSIONS,
    ) -> None:
        self._function = function
        self.service_extensions = service_extensions

    async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
        """Call the function, and await its result if that is awaitable."""
        result = self._function(envelope, content)
        if inspect.isawaitable(result):
            await result
        return accepted(envelope)
