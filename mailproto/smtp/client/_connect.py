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

__all__ = ["aborting", "connect"]

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
    pending = connectProtocol(endpoint, client)
    timer = client.clock.callLater(client.timeouts.connect, pending.cancel)
    try:
        await pending
    except CancelledError:
        if timer.active():
            raise  # it was not the timer
        raise ConnectFailed("Cannot connect: timed out") from None
    except Exception as error:
        raise ConnectFailed(f"Cannot connect: {error}") from error
    finally:
        if timer.active():
            timer.cancel()
    with aborting(client):
        await client.greeted()
    return client


@contextmanager
def aborting(client: SMTPClient) -> Iterator[None]:
    """End the connection at once, if nobody waits any more for what is done over it."""
    try:
        yield
    except (CancelledError, GeneratorExit):
        client.abort()
        raise
