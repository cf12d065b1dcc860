"""The first two steps of `IDelivery`, and the shortest way to write the third."""

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
    """What `IDelivery.deliver` returns when every recipient's copy is taken."""
    return [DELIVERED] * len(envelope.recipients)


@implementer(IDelivery, IServiceExtensions)
class Delivery(abc.ABC):
    """An `IDelivery` that takes mail from anybody to anybody: override `deliver`, at least.

    That makes no open relay: what `deliver` does with the message is all that is done.

    :ivar service_extensions: nothing, unless a subclass says otherwise (`IServiceExtensions`).
    """

    service_extensions: ServiceExtensions = NO_SERVICE_EXTENSIONS

    async def sender(self, session: Session, path: Address, parameters: Parameters) -> None:  # noqa: B027
        """Take any reverse-path."""

    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:  # noqa: B027
        """Take any forward-path."""

    @abc.abstractmethod
    async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
        """See `IDelivery.deliver`; end with ``return accepted(envelope)``."""


class FunctionDelivery(Delivery):
    """Gives each message to a function.

    :param function: called with an `Envelope` and the `Content`; plain, a coroutine
        function, or one that returns a ``Deferred``.  What it returns does not matter: the
        message is taken, for all recipients, unless it raises (`mailproto.errors`).
    :param service_extensions: what the function does for messages that ask for it.
    """

    def __init__(
        self,
        function: Callable[[Envelope, Content], Awaitable[object] | object],
        service_extensions: ServiceExtensions = NO_SERVICE_EXTENSIONS,
    ) -> None:
        self._function = function
        self.service_extensions = service_extensions

    async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
        """Call the function, and wait for it if it wants to be awaited."""
        result = self._function(envelope, content)
        if inspect.isawaitable(result):
            await result
        return accepted(envelope)
