"""Deliveries with an object for each connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from mailproto._arguments import check_call, check_type, wrong_type
from mailproto._twisted_arguments import check_class
from mailproto.awaiting import Result, nothing, settle
from mailproto.delivery._base import Delivery
from mailproto.interfaces import IDeliverySession, IDeliverySessions, IServiceExtensions
from mailproto.model import NO_SERVICE_EXTENSIONS, ServiceExtensions, Session

__all__ = ["DeliverySession", "PerSession"]


@implementer(IDeliverySession)
class DeliverySession(Delivery):
    """The `IDelivery` of one connection; override at least `deliver`.

    :param session: what is known about the client before the greeting.
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    def reset(self) -> Any:
        """See `IDeliverySession.reset`: forget what belongs to the transaction."""
        return nothing()

    def end(self) -> Any:
        """See `IDeliverySession.end`: release what belongs to the connection."""
        return nothing()


@implementer(IDeliverySessions, IServiceExtensions)
class PerSession:
    """Makes a `DeliverySession` for each connection.

    :param make: a subclass of `DeliverySession`, or a function that returns one; it may take its time, or
        raise `mailproto.errors.Refused` to turn the client away.
    :param service_extensions: the ESMTP extensions that the sessions honour.
    :raises TypeError: an argument is of the wrong type.
    """

    def __init__(
        self,
        make: Callable[[Session], Result[DeliverySession]],
        service_extensions: ServiceExtensions = NO_SERVICE_EXTENSIONS,
    ) -> None:
        takes = "a subclass of DeliverySession, or a function of a Session that returns an object of one"
        if IDeliverySession.providedBy(make):
            raise wrong_type("make", make, takes, f"write PerSession({type(make).__name__})")
        if isinstance(make, type):
            check_class("make", make, IDeliverySession, takes)
        check_call("make", make, takes, 1)
        check_type("service_extensions", service_extensions, ServiceExtensions, "a ServiceExtensions")
        self._make = make
        self.service_extensions = service_extensions

    async def begin(self, session: Session) -> DeliverySession:
        """See `IDeliverySessions.begin`."""
        return await settle(self._make(session))
