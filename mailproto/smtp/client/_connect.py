"""From an endpoint to a client that has been greeted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import connectProtocol
from twisted.internet.interfaces import IStreamClientEndpoint

from mailproto.smtp.client._client import SMTPClient
from mailproto.smtp.client._errors import ConnectFailed
from mailproto.smtp.client._routes import endpoint_name
from mailproto.smtp.client._within import TooLate, within

__all__ = ["aborting", "connect", "reason"]

ClientT = TypeVar("ClientT", bound=SMTPClient)


async def connect(endpoint: IStreamClientEndpoint, client: ClientT) -> ClientT:
    """Connect ``client`` and wait for the server's greeting::

        client = await connect(endpoint, SMTPClient(reactor, hostname="client.example"))
        await client.ehlo()
        outcomes = await client.send("a@client.example", ["b@server.example"], content)
        await client.quit()

    :param endpoint: TCP, TLS (implicit TLS) or a Unix socket.
    :raises ConnectFailed: nobody listens there.
    :raises SMTPClientError: there was no welcome; the connection is closed.
    """
    seconds = client.timeouts.connect
    name = endpoint_name(endpoint)
    try:
        await within(client.clock, seconds, connectProtocol(endpoint, client), lambda _: client.abort())
    except CancelledError:
        raise
    except TooLate:
        raise ConnectFailed(f"Cannot connect to {name}: no answer within {seconds:g} s") from None
    except Exception as error:
        raise ConnectFailed(f"Cannot connect to {name}: {reason(error)}") from error
    with aborting(client):
        await client.greeted()
    return client


def reason(error: Exception) -> str:
    """What an error says, on one line, for a text in which it is not the end."""
    return " ".join(str(error).split()).removesuffix(".") or type(error).__name__


@contextmanager
def aborting(client: SMTPClient) -> Iterator[None]:
    """End the connection at once, if nobody waits any more for what is done over it."""
    try:
        yield
    except (CancelledError, GeneratorExit):
        client.abort()
        raise
