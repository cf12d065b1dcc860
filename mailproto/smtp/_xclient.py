"""XCLIENT: the session goes on as somebody else's (Postfix's XCLIENT_README)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from mailproto.auth import Login, proxy_login
from mailproto.connection import UNKNOWN, Farewell
from mailproto.errors import AuthenticationFailed
from mailproto.smtp import _replies as replies
from mailproto.smtp.wire import Hello, XClient

if TYPE_CHECKING:
    from mailproto.smtp.server import SMTPServer

__all__ = ["xclient"]

_VERBS = {"SMTP": "HELO", "ESMTP": "EHLO"}


def xclient(session: SMTPServer, event: XClient) -> Awaitable[None] | None:
    """Begin anew: what the attributes do not tell is as it was, or, of HELO and LOGIN, unknown.

    NAME, PORT and what the client connected to are taken and of no consequence.

    It is for the proxy, once: what comes after it may be its client's words.
    """
    if not session.may_introduce:
        session.error(replies.NO_PROXY)
    elif session.transaction is not None:
        session.error(replies.NOT_IN_TRANSACTION)
    elif name := event.attributes.get("LOGIN"):
        return _with_account(session, event, name)
    else:
        return _begin_anew(session, event, None)
    return None


async def _with_account(session: SMTPServer, event: XClient, name: str) -> None:
    """Begin anew as the client, signed in; without such an account it is a stranger.

    It is that even if the proxy goes on in spite of the error.

    :raises AuthenticationFailed:
    """
    portal = session.factory.portal
    try:
        if portal is None:
            raise AuthenticationFailed(detail="XCLIENT LOGIN where there are no accounts")
        login = await proxy_login(portal, name, session)
    except BaseException:
        if session.is_open:
            _introduce(session, event)
        raise
    if not session.is_open:
        login.logout()
    elif (greeting := _begin_anew(session, event, login)) is not None:
        await greeting


def _begin_anew(session: SMTPServer, event: XClient, login: Login | None) -> Deferred[None] | None:
    if not _introduce(session, event):
        if login is not None:
            login.logout()
        return None
    session.login = login
    attributes = event.attributes
    name, verb = attributes.get("HELO"), _VERBS[attributes.get("PROTO") or "SMTP"]
    if name and verb in session.greetings:
        session.hello = Hello(verb, name)
    return session.greet_peer()


def _introduce(session: SMTPServer, event: XClient) -> bool:
    """The session is the client's; False if there are too many of it, and it has been told."""
    attributes = event.attributes
    session.forget_client()
    session.session_changed()
    address = (attributes["ADDR"] or UNKNOWN) if "ADDR" in attributes else None
    admitted = session.speak_for(address)
    session.log.info("{peer}: by XCLIENT, {attributes}", peer=session.peer, attributes=dict(attributes))
    if not admitted:
        session.end(session.farewell(Farewell.CROWDED))
    return admitted
