"""Base classes for deliveries: they implement the first two steps of `IDelivery`."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from mailproto._arguments import check_call, check_type, wrong_type
from mailproto.awaiting import Result, does_nothing, nothing, settle
from mailproto.content import Content, Octets
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

    That alone is no open relay: only `deliver` decides what happens to the message.  Your own methods may be
    plain, coroutines, or return a ``Deferred`` or an asyncio future (`mailproto.awaiting.Result`); to accept
    like this class, ``await super().recipient(session, path, parameters)``.

    :ivar service_extensions: none, unless a subclass overrides it (`IServiceExtensions`).
    """

    service_extensions: ServiceExtensions = NO_SERVICE_EXTENSIONS

    # The types of results are Any, so that an override may be plain and `super()` can be awaited; a server
    # that is given the delivery has the types of `IDelivery`.

    @does_nothing
    def sender(self, session: Session, path: Address, parameters: Parameters) -> Any:
        """Accept any reverse-path: see `IDelivery.sender`."""
        return nothing()

    @does_nothing
    def recipient(self, session: Session, path: Address, parameters: Parameters) -> Any:
        """Accept any forward-path: see `IDelivery.recipient`."""
        return nothing()

    @abc.abstractmethod
    def deliver(self, envelope: Envelope, content: Content) -> Any:
        """See `IDelivery.deliver`; without ``return``, the message is accepted for all recipients."""


class FunctionDelivery(Delivery):
    """Calls a function with each message.

    :param function: called with an `Envelope` and the `Content`.  It may be a plain function, a coroutine
        function, or return a ``Deferred``.  If it returns None, every recipient is accepted; if
        it raises (`mailproto.errors`), the message is refused.
    :param service_extensions: the ESMTP extensions that the function honours.
    :raises TypeError: an argument is of the wrong type.
    """

    def __init__(
        self,
        function: Callable[[Envelope, Content], Result[None]],
        service_extensions: ServiceExtensions = NO_SERVICE_EXTENSIONS,
    ) -> None:
        takes = "a function of an Envelope and a Content"
        if isinstance(function, type) or not callable(function):
            hint = "give a delivery to the server itself" if hasattr(function, "deliver") else ""
            raise wrong_type("function", function, takes, hint)
        check_call("function", function, takes, 2)
        check_type("service_extensions", service_extensions, ServiceExtensions, "a ServiceExtensions")
        self._function = function
        self.service_extensions = service_extensions

    async def deliver(self, envelope: Envelope, content: Octets) -> None:
        """Call the function, and await its result if that is awaitable.

        :raises TypeError: the result is not None.
        """
        result: object = self._function(envelope, Content.of(content))
        if result is not None:
            result = await settle(result)
        if result is not None:
            name = getattr(self._function, "__qualname__", repr(self._function))
            raise TypeError(
                f"{name} returned {result!r:.200}: return None to accept,"
                " raise mailproto.errors.Refused(550, '5.7.1', 'text') to refuse"
            )
