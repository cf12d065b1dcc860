"""Checks the delivery that a server is given, so that a wrong one is no error for each client."""

from __future__ import annotations

from typing import Any

from mailproto._arguments import check_type, shown, wrong_type
from mailproto._twisted_arguments import check_contract, provided
from mailproto.interfaces import (
    IDelivery,
    IDeliverySession,
    IDeliverySessions,
    IExpander,
    IOwnership,
    IPermittedCommands,
    IQueueRunner,
    IServiceExtensions,
    IStore,
    IVerifier,
)
from mailproto.model import ServiceExtensions

__all__ = ["check_delivery"]

_OPTIONAL = (IServiceExtensions, IOwnership, IVerifier, IExpander, IQueueRunner, IPermittedCommands)


def check_delivery(delivery: Any) -> None:
    """Check that a delivery has the methods of `IDelivery` or `IDeliverySessions`, and of the optional
    contracts that it declares.

    :raises TypeError: it is neither; the text says what is missing, or what to write.
    """
    takes = "an object that provides IDelivery or IDeliverySessions"
    if isinstance(delivery, type):
        is_session = IDeliverySession.implementedBy(delivery)
        call = (
            f"mailproto.delivery.PerSession({delivery.__name__})" if is_session else f"{delivery.__name__}()"
        )
        raise wrong_type("delivery", delivery, takes, f"write {call}")
    if provided(IDeliverySession, delivery) is not None:
        hint = (
            f"each connection needs its own: write mailproto.delivery.PerSession({type(delivery).__name__})"
        )
        raise wrong_type("delivery", delivery, takes, hint)
    if provided(IDeliverySessions, delivery) is not None:
        check_contract("delivery", delivery, IDeliverySessions)
    elif hasattr(delivery, "begin") and not hasattr(delivery, "deliver"):
        hint = "declare its class with @implementer(IDeliverySessions)"
        raise wrong_type("delivery", delivery, takes, hint)
    elif provided(IStore, delivery) is not None:
        raise wrong_type("delivery", delivery, takes, _FOR_A_STORE)
    elif callable(delivery) and not hasattr(delivery, "deliver"):
        name = getattr(delivery, "__name__", "function")
        raise wrong_type("delivery", delivery, takes, f"write mailproto.delivery.FunctionDelivery({name})")
    else:
        check_contract(
            "delivery", delivery, IDelivery, hint="derive its class from mailproto.delivery.Delivery"
        )
    for contract in _OPTIONAL:
        if provided(contract, delivery) is not None:
            check_contract("delivery", delivery, contract)
        elif all(_has(delivery, name) for name in contract.names()):
            raise TypeError(
                f"delivery has {' and '.join(contract.names())}, which {shown(delivery)} must declare: write"
                f" @implementer({contract.__name__}) above its class, or use another name"
            )
    if provided(IServiceExtensions, delivery) is not None:
        name = f"service_extensions of {shown(delivery)}"
        check_type(name, delivery.service_extensions, ServiceExtensions, "a ServiceExtensions")


def _has(delivery: Any, name: str) -> bool:
    """Whether an object has something itself; what a `unittest.mock.Mock` makes when it is asked does not
    count."""
    return hasattr(type(delivery), name) or name in getattr(delivery, "__dict__", ())


_FOR_A_STORE = "write mailproto.delivery.MailboxDelivery(store, ['example.org'])"
