"""Commands that a user adds to the server (RFC 5321 2.2.2, 4.1.5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred

from mailproto.connection.commands import CommandRules, CommandSession, State
from mailproto.errors import Refused
from mailproto.interfaces import IAccount
from mailproto.model import Address, Outcome, Session
from mailproto.smtp.server import _replies as replies
from mailproto.smtp.wire import VERBS, OwnCommand, render_lines, render_reply

if TYPE_CHECKING:
    from mailproto.smtp.server._server import SMTPServer

__all__ = ["CAPABILITIES", "CAPABILITY", "COMMANDS", "SMTPCommandSession", "own_command"]

_REPLACEABLE: Final = frozenset({"VRFY", "EXPN", "ETRN", "HELP"})

COMMANDS = CommandRules(
    name=re.compile(r"[A-Z][A-Z0-9-]{0,19}"),
    built_in=VERBS,
    fixed=VERBS - _REPLACEABLE,
    states=State.NOT_AUTHENTICATED | State.AUTHENTICATED,
)

CAPABILITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}(?: [!-~]+)*", re.ASCII)
"""An ehlo-line (RFC 5321 4.1.1.1)."""

CAPABILITIES: Final = frozenset(
    {"PIPELINING", "SIZE", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING", "LIMITS", "BINARYMIME", "SMTPUTF8"}
    | {"STARTTLS", "AUTH", "DSN", "REQUIRETLS", "DELIVERBY", "MT-PRIORITY", "FUTURERELEASE", "XCLIENT"}
    | {"VRFY", "EXPN", "ETRN", "HELP"}
)
"""What EHLO's reply may announce without being told to."""

_MAX_LINES = 100
"""The most lines of a reply: Postfix and others take a longer one for an attack."""

_UNPRINTABLE = re.compile(r"[^ -~]")
_MAX_LINE = 500


class SMTPCommandSession(CommandSession["SMTPServer"]):
    """What a command of your own sees of an SMTP session.

    The arguments are a text: what follows the command, without spaces at its ends.

    The handler returns the reply: None for ``250 2.0.0 OK``; a text, which is sent after ``250 2.0.0``; a
    list of texts for a reply of several lines; or an `Outcome` with another code.  To refuse, it raises
    `mailproto.errors.Refused`.
    """

    @property
    def session(self) -> Session:
        """What deliveries are told of the client."""
        return self.server.session

    @property
    def account(self) -> IAccount | None:
        """The account that has signed in; None also if the portal gives only a name (``client.account``)."""
        login = self.server.login
        return login.account if login is not None and IAccount.providedBy(login.avatar) else None

    @property
    def sender(self) -> Address | None:
        """The sender of the transaction that MAIL began; None outside a transaction."""
        transaction = self.server.transaction
        return None if transaction is None else transaction.sender

    @property
    def recipients(self) -> tuple[Address, ...]:
        """The recipients of this transaction so far."""
        transaction = self.server.transaction
        return () if transaction is None else tuple(each.address for each in transaction.recipients)


async def own_command(server: SMTPServer, event: OwnCommand) -> None:
    """Carry out a command of the user's."""
    command = server.factory.commands[event.verb]
    refusal = None
    if command.states is None:
        refusal = server.access_refusal()
    elif server.state not in command.states:
        refusal = replies.AUTH_FIRST if server.account is None else replies.SIGNED_IN_ALREADY
    if refusal is not None:
        server.error(refusal, event.verb, event)
        return
    session = SMTPCommandSession(server, event.verb)
    with session.handling():
        given = command.handler(session, event.argument)
        answer = server.call(given, server, event.verb, server.limits.delivery)
        reply = _rendered(event.verb, await answer if isinstance(answer, Deferred) else answer)
    if session.is_closing:
        server.end(reply, f"{event.verb} ended it")
    else:
        server.answer_idle_command(reply)


def _rendered(verb: str, result: object) -> bytes:
    if result is None:
        return replies.OK
    if isinstance(result, str):
        return render_reply(250, "2.0.0", result)
    if isinstance(result, Outcome) and (result.accepted or 400 <= result.code <= 599):
        if not result.accepted:
            raise Refused(result.code, result.enhanced, result.text, detail=result.detail)
        return render_reply(result.code, result.enhanced, result.text)
    if isinstance(result, Sequence) and result and all(isinstance(line, str) for line in result):
        if len(result) > _MAX_LINES:
            raise ValueError(
                f"the handler of {verb} returned {len(result)} lines, at most {_MAX_LINES} are sent"
            )
        return render_lines(250, [f"2.0.0 {_UNPRINTABLE.sub('?', line[:_MAX_LINE])}" for line in result])
    raise TypeError(
        f"the handler of {verb} returned {result!r}: return None, a text, a list of texts or an Outcome,"
        " or raise mailproto.errors.Refused"
    )
