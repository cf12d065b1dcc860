"""Checks of arguments that are objects of Twisted's and zope's interfaces (see `mailproto._arguments`)."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from zope.interface import Invalid
from zope.interface.exceptions import BrokenImplementation, BrokenMethodImplementation
from zope.interface.interface import InterfaceClass
from zope.interface.verify import verifyClass, verifyObject

from mailproto._arguments import wrong_type

__all__ = [
    "check_class",
    "check_client_tls",
    "check_clock",
    "check_contract",
    "check_endpoint",
    "check_factory",
    "check_optional_clock",
    "check_server_endpoint",
    "check_server_tls",
    "faults_of",
    "provided",
]


def provided(contract: InterfaceClass, value: Any) -> Any:
    """``value`` if it declares a contract, or else None.

    The answer of a `unittest.mock.Mock` to everything is another Mock, so it would seem to declare all.
    """
    return value if contract.providedBy(value) is True else None


def faults_of(value: object, contract: InterfaceClass) -> list[str]:
    """What ``value`` lacks of a contract, as parts of a sentence; none if it has all, declared or not."""
    return _faults(verifyObject, value, contract)


def _faults(verify: Callable[..., object], value: object, contract: InterfaceClass) -> list[str]:
    try:
        verify(contract, value, tentative=True)
    except Invalid as error:
        return [_fault(each) for each in getattr(error, "exceptions", [error])]
    return []


def _fault(error: Exception) -> str:
    if isinstance(error, BrokenMethodImplementation):
        wanted = error.method.getSignatureString()
        return f"its {error.method.__name__} cannot be called with {wanted}"
    if isinstance(error, BrokenImplementation):
        name = error.name if isinstance(error.name, str) else error.name.__name__
        element = error.interface[name]
        signature = element.getSignatureString() if hasattr(element, "getSignatureString") else ""
        return f"it has no {name}{signature}"
    return " ".join(str(error).split())


def check_contract(name: str, value: object, contract: InterfaceClass, *, hint: str = "") -> None:
    """Check that an object has the methods and attributes of a contract.

    Its class need not be declared with ``@implementer``; only optional contracts must be, because nothing
    else tells that they are meant.

    :param hint: what to write instead of a value that is not at all like this.
    :raises TypeError: something is missing, or a method takes other arguments; the text names all of that.
    """
    takes = f"an object that provides {contract.__name__}"
    if isinstance(value, type):
        raise wrong_type(name, value, takes, f"write {value.__name__}(), or with its arguments")
    faults = faults_of(value, contract)
    if faults:
        is_alike = not hint or len(faults) < len(list(contract.names(all=True)))
        raise wrong_type(name, value, takes, ", ".join(faults) if is_alike else hint)


def check_class(name: str, value: type, contract: InterfaceClass, takes: str) -> None:
    """Check that the objects of a class provide a contract.

    :raises TypeError: something is missing, or a method takes other arguments; the text names all of that.
    """
    if not contract.implementedBy(value):
        raise wrong_type(name, value, takes)
    missing = sorted(getattr(value, "__abstractmethods__", ()))
    faults = [f"it has no {each}" for each in missing]
    faults += [] if faults else _faults(verifyClass, value, contract)
    if faults:
        raise wrong_type(name, value, takes, ", ".join(faults))


def check_clock(name: str, value: object) -> None:
    """:raises TypeError: ``value`` is neither a reactor nor a clock (`IReactorTime`)."""
    if isinstance(value, type) or not _can(value, "seconds", "callLater"):
        raise wrong_type(name, value, "the reactor, or a twisted.internet.task.Clock in tests")


def check_optional_clock(name: str, value: object) -> None:
    """:raises TypeError: ``value`` is neither a reactor, nor a clock, nor None."""
    if value is not None:
        check_clock(name, value)


def check_endpoint(name: str, value: object) -> None:
    """:raises TypeError: ``value`` cannot be connected to (`IStreamClientEndpoint`)."""
    if isinstance(value, (type, socket.socket)) or not _can(value, "connect"):
        example = "twisted.internet.endpoints.clientFromString(reactor, 'tcp:mail.example.org:25')"
        raise wrong_type(name, value, "an endpoint to connect to", f"such as {example}")


def check_server_endpoint(name: str, value: object) -> None:
    """:raises TypeError: ``value`` cannot be listened on (`IStreamServerEndpoint`)."""
    if isinstance(value, (type, socket.socket)) or not _can(value, "listen"):
        takes = "an endpoint string such as 'tcp:8025:interface=127.0.0.1', or an IStreamServerEndpoint"
        is_port = isinstance(value, int) and not isinstance(value, bool)
        raise wrong_type(name, value, takes, f"write 'tcp:{value}'" if is_port else "")


def check_factory(name: str, value: object) -> None:
    """:raises TypeError: ``value`` makes no protocols (`IProtocolFactory`)."""
    if isinstance(value, type) or not _can(value, "buildProtocol", "doStart", "doStop"):
        hint = "such as mailproto.smtp.SMTPServerFactory(delivery)"
        raise wrong_type(name, value, "a factory of protocols", hint)


def check_server_tls(name: str, value: object) -> None:
    """:raises TypeError: ``value`` can neither make TLS connections for a server, nor is None."""
    if value is not None:
        _check_tls(name, value, "serverConnectionForTLS", "mailproto.tls.server_tls('cert.pem', 'key.pem')")


def check_client_tls(name: str, value: object) -> None:
    """:raises TypeError: ``value`` cannot make TLS connections for a client."""
    _check_tls(name, value, "clientConnectionForTLS", "mailproto.tls.client_tls('mail.example.org')")


def _check_tls(name: str, value: Any, method: str, example: str) -> None:
    if not isinstance(value, type) and (_can(value, method) or _can(value, "getContext")):
        return
    if _can(value, "options") and not isinstance(value, (str, bytes, os.PathLike)):
        example = "the result of its method options()"  # Twisted's PrivateCertificate
    raise wrong_type(name, value, "a TLS context", f"write {example}")


def _can(value: object, *methods: str) -> bool:
    return all(callable(getattr(value, method, None)) for method in methods)
