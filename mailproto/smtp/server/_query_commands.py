"""VRFY, EXPN, ETRN and HELP (RFC 5321 3.5, RFC 1985)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailproto.awaiting import settle
from mailproto.errors import Refused
from mailproto.model import VerifiedName
from mailproto.smtp.server import _replies as replies
from mailproto.smtp.wire import Etrn, Expn, Help, Vrfy, render_lines, render_reply

if TYPE_CHECKING:
    from mailproto.smtp.server._server import SMTPServer

__all__ = ["etrn", "expn", "help", "vrfy"]


async def vrfy(server: SMTPServer, event: Vrfy) -> None:
    """VRFY: tell whether a name exists, if the delivery can tell."""
    verifier = server.factory.verifier
    if access_refusal := server.access_refusal():
        server.error(access_refusal, server.describe(event), event)
        return
    _check_utf8(server, event)
    if verifier is None or not server.may_use("VRFY"):
        server.answer_idle_command(replies.CANNOT_VERIFY)
        return
    found = await settle(verifier.verify(server.session, event.name))
    server.answer_idle_command(replies.CANNOT_VERIFY if found is None else _render([found], utf8=event.utf8))


async def expn(server: SMTPServer, event: Expn) -> None:
    """EXPN: tell the members of a list, if the delivery can tell."""
    expander = server.factory.expander
    if expander is None:
        server.error(replies.NOT_IMPLEMENTED)
        return
    if access_refusal := server.access_refusal():
        server.error(access_refusal, server.describe(event), event)
        return
    _check_utf8(server, event)
    if not server.may_use("EXPN"):
        server.answer_idle_command(replies.CANNOT_EXPAND)
        return
    members = await settle(expander.expand(server.session, event.name))
    server.answer_idle_command(_render(members, utf8=event.utf8))


async def etrn(server: SMTPServer, event: Etrn) -> None:
    """ETRN: start sending the delivery's queue, if it has one."""
    queue = server.factory.queue
    if queue is None:
        server.error(replies.NOT_IMPLEMENTED)
    elif access_refusal := server.access_refusal():
        server.error(access_refusal, server.describe(event), event)
    elif not server.extended:
        server.error(replies.HELLO_FIRST)
    elif server.transaction is not None:
        server.error(replies.NOT_IN_TRANSACTION)
    elif not server.may_use("ETRN"):
        server.error(replies.QUEUE_DENIED, server.describe(event), event)
    else:
        waiting = await settle(queue.run_queue(server.session, event.node))
        if waiting is None:
            server.answer_idle_command(render_reply(250, "2.0.0", f"Queuing for {event.node} started"))
        elif waiting:
            text = f"{waiting} pending messages for {event.node} started"
            server.answer_idle_command(render_reply(253, "2.0.0", text))
        else:
            server.answer_idle_command(render_reply(251, "2.0.0", f"No messages waiting for {event.node}"))


def help(server: SMTPServer, event: Help) -> None:
    """HELP: list the commands."""
    offers = server.offers
    verbs = [*server.greetings, "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP"]
    verbs += dict.fromkeys(("VRFY", *offers.verbs))
    extensions = (("STARTTLS", offers.starttls), ("AUTH", offers.mechanisms))
    verbs += [verb for verb, offered in extensions if offered]
    verbs += [verb for verb in offers.own_verbs if verb not in (*verbs, "HELP")]
    lines = [f"2.0.0 {' '.join(verbs)} HELP QUIT", "2.0.0 See RFC 5321 for the rest"]
    server.answer_idle_command(render_lines(214, lines))


def _check_utf8(server: SMTPServer, event: Vrfy | Expn) -> None:
    """Check the use of SMTPUTF8.

    :raises Refused: the name is internationalised, and the command has no SMTPUTF8; or the session
        does not know SMTPUTF8 (RFC 6531 3.7.4.2).
    """
    if event.utf8 and not server.offers.service_extensions.smtputf8:
        raise Refused(555, "5.5.4", "Parameter not recognised or not implemented")
    if not event.utf8 and not event.name.isascii():
        raise Refused(553, "5.6.7", "An internationalised address needs SMTPUTF8")


def _render(names: Sequence[VerifiedName], *, utf8: bool) -> bytes:
    """Render the reply.

    :raises Refused: it would be internationalised, and the client has not allowed that.
    """
    lines = [f"2.1.5 {name}" for name in names]
    if not lines:
        raise ValueError("a list without members")
    if not utf8 and not all(line.isascii() for line in lines):
        raise Refused(553, "5.6.7", "An internationalised address needs SMTPUTF8")
    return render_lines(250, ["".join(c if c.isprintable() else "?" for c in line) for line in lines])
