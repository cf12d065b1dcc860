"""XCLIENT: the session goes on as somebody else's (Postfix's XCLIENT_README)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailproto.connection import Farewell
from mailproto.smtp import _replies as replies
from mailproto.smtp.wire import Hello, XClient

if TYPE_CHECKING:
    from mailproto.smtp.server import SMTPServer

__all__ = ["xclient"]

_VERBS = {"SMTP": "HELO", "ESMTP": "EHLO"}


def xclient(session: SMTPServer, event: XClient) -> None:
    """Begin anew: what the attributes do not tell is as it was, or, of HELO and LOGIN, unknown.

    NAME, PORT and what the client connected to are taken and of no consequence.
    """
    if not session.may_introduce:
        session.error(replies.NO_PROXY)
        return
    if session.transaction is not None:
        session.error(replies.NOT_IN_TRANSACTION)
        return
    attributes = event.attributes
    proxy = session.peer_address
    admitted = "ADDR" not in attributes or session.speak_for(attributes["ADDR"] or "")
    session.log.info(
        "{proxy} speaks for {peer}, {attributes}",
        proxy=proxy,
        peer=session.peer_address,
        attributes=dict(attributes),
    )
    if not admitted:
        session.end(session.farewell(Farewell.CROWDED))
        return
    session.forget_client()
    name, verb = attributes.get("HELO"), _VERBS[attributes.get("PROTO") or "SMTP"]
    if name and verb in session.greetings:
        session.hello = Hello(verb, name)
    session.introduced_account = attributes.get("LOGIN")
    session.session_changed()
    session.write_greeting()
