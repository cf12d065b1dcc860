"""XCLIENT: a proxy tells who its client is (Postfix's XCLIENT_README)."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from mailproto.auth.signing_in import Login
from mailproto.connection import UNKNOWN
from mailproto.connection.limits import CloseReason
from mailproto.errors import AuthenticationFailed
from mailproto.smtp.server import _replies as replies
from mailproto.smtp.wire import Hello, XClient

if TYPE_CHECKING:
    from mailproto.smtp.server._server import SMTPServer

__all__ = ["xclient"]

_VERBS = {"SMTP": "HELO", "ESMTP": "EHLO"}


def xclient(server: SMTPServer, event: XClient) -> Awaitable[None] | None:
    """Begin a new session for the proxy's client.

    Without HELO and LOGIN, the client's name and account are unknown; without other attributes, their
    values stay as they were.  NAME, PORT, DESTADDR and DESTPORT are accepted and not used.

    A proxy may use XCLIENT once, because later commands may come from its client.
    """
    if not server.may_xclient:
        server.error(replies.NO_PROXY, "XCLIENT", event)
    elif server.transaction is not None:
        server.error(replies.NOT_IN_TRANSACTION)
    elif name := event.attributes.get("LOGIN"):
        return _with_account(server, event, name)
    else:
        return _begin_session(server, event, None)
    return None


async def _with_account(server: SMTPServer, event: XClient, name: str) -> None:
    """Begin a new session of a client that signed in at the proxy.

    If the login fails, the session belongs to the client without an account, even if the proxy goes
    on after the error.

    :raises AuthenticationFailed: there is no such account.
    """
    try:
        if server.sasl is None:
            raise AuthenticationFailed(detail="XCLIENT LOGIN, but this server has no accounts")
        login = await server.sasl.proxy_login(name)
    except (Exception, CancelledError):  # asyncio's error of a cancelled task is no Exception
        if server.is_open and _set_client(server, event):
            await server.greeting.begin_ungreeted()
        raise
    if not server.is_open:
        login.logout()
    elif (greeting := _begin_session(server, event, login)) is not None:
        await greeting


def _begin_session(server: SMTPServer, event: XClient, login: Login | None) -> Awaitable[None] | None:
    if not _set_client(server, event):
        if login is not None:
            login.logout()
        return None
    server.login = login
    attributes = event.attributes
    name, verb = attributes.get("HELO"), _VERBS[attributes.get("PROTO") or "SMTP"]
    if name and verb in server.greetings:
        server.hello = Hello(verb, name)
    return server.greeting.begin()


def _set_client(server: SMTPServer, event: XClient) -> bool:
    """Make the session the client's; False if it has too many connections, and the session was closed."""
    attributes = event.attributes
    server.forget_client()
    server.delivery.end()
    server.session_changed()
    address = (attributes["ADDR"] or UNKNOWN) if "ADDR" in attributes else None
    admitted = server.speak_for(address)
    server.log.info("{peer}: by XCLIENT, {attributes}", peer=server.peer, attributes=dict(attributes))
    if not admitted:
        server.end(server.closing_words(CloseReason.CROWDED), CloseReason.CROWDED.value)
    return admitted
