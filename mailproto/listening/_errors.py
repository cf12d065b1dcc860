"""Explains why an endpoint cannot be listened on, and what to do about it."""

from __future__ import annotations

import errno
import os
import pwd

from twisted.internet.error import CannotListenError

from mailproto.listening._endpoints import unix_path
from mailproto.listening._unix_sockets import socket_error
from mailproto.printable import printable

__all__ = ["ListenError", "StartFailed", "reason_of"]


class ListenError(Exception):
    """An endpoint cannot be listened on; the text is one line for the operator.

    :ivar endpoint: the endpoint string, or another description of the endpoint.
    :ivar reason: what is wrong, and what to do about it.
    """

    def __init__(self, endpoint: str, reason: str) -> None:
        self.endpoint, self.reason = endpoint, reason
        super().__init__(printable(f"cannot listen on {endpoint}: {reason}"))


class StartFailed(ListenError, SystemExit):
    """The same, while an application starts.

    As `SystemExit`, it ends ``twistd -n`` with its line and status 1, without a traceback.  As `Exception`,
    it reaches the process that has started a daemon (twistd's ``postApplication``).
    """

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(endpoint, reason)
        self.code = str(self)


def reason_of(error: Exception, endpoint: str) -> str:
    """Why listening failed with ``error``.

    :param endpoint: the endpoint string, or "" for an endpoint object.
    """
    path = unix_path(endpoint)
    if path is not None:
        return socket_error(path, error)
    if isinstance(error, CannotListenError) and isinstance(error.socketError, OSError):
        return _port_error(error.socketError)
    if isinstance(error, OSError):
        return _port_error(error)
    if isinstance(error, OverflowError):
        return "a port is a number from 0 to 65535"
    reason = str(error) or type(error).__name__
    return f"not a Twisted server endpoint that works ({reason}): one is tcp:8025:interface=127.0.0.1"


def _port_error(error: OSError) -> str:
    """Why a port cannot be bound."""
    reason = error.strerror or str(error)
    if error.errno == errno.EADDRINUSE:
        return f"{reason}: end the program that listens there, or choose another port"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"{reason}: the user {_own_name()} may not listen there: start as root (twistd "
            "--uid USER --gid GROUP then gives the rights up), or choose a port above 1023"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{reason}: it is no address of this machine"
    return reason


def _own_name() -> str:
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"number {uid}"
