"""Greetings, small talk and STARTTLS: what brings a session on, and no mail (RFC 5321 4.1.1, RFC 3207)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailproto.smtp import _replies as replies
from mailproto.smtp.wire import Data, Event, Hello, Mail, Noop, Quit, Rcpt, Rset, StartTLS, render_lines

if TYPE_CHECKING:
    from mailproto.smtp.server import SMTPServer

__all__ = ["hello", "hello_before_tls", "noop", "quit", "rset", "starttls", "tls_first"]


def hello(session: SMTPServer, event: Hello) -> None:
    """HELO, EHLO and LHLO: begin anew, and say what there is."""
    if event.verb not in session.greetings:
        session.error(replies.WRONG_GREETING)
        return
    session.forget_transaction()
    session.hello = event
    session.session_changed()
    session.end_if(session.patience.idle_command())
    hostname = session.factory.hostname
    if event.verb == "HELO":
        session.write(f"250 {hostname}\r\n".encode())
    else:
        session.write(render_lines(250, [hostname, *session.offers.lines(session.clock.seconds())]))


def rset(session: SMTPServer, event: Rset) -> None:
    """Forget the transaction."""
    session.forget_transaction()
    session.small_talk(replies.RESET)


def noop(session: SMTPServer, event: Noop) -> None:
    """Say that we are here."""
    session.small_talk(replies.OK)


def quit(session: SMTPServer, event: Quit) -> None:
    """Say goodbye."""
    session.end(f"221 2.0.0 {session.factory.hostname} closing connection\r\n".encode())


def starttls(session: SMTPServer, event: StartTLS) -> None:
    """Go on inside TLS."""
    if session.is_encrypted:
        session.error(replies.TLS_ALREADY)
    elif not session.can_start_tls:
        session.error(replies.NOT_IMPLEMENTED)
    elif session.start_tls(replies.START_TLS):
        session.encrypted()


# -- where TLS comes first (RFC 3207 4)


def tls_first(session: SMTPServer, event: Event) -> None:
    """Refuse whatever it is."""
    if isinstance(event, Rcpt | Data):
        session.misplaced(replies.TLS_FIRST)
        return
    if isinstance(event, Mail):
        session.patience.forgive()
    session.error(replies.TLS_FIRST)


def hello_before_tls(session: SMTPServer, event: Hello) -> None:
    """Greet those who can find STARTTLS in what is offered."""
    if event.verb == "HELO":
        session.error(replies.TLS_FIRST)
    else:
        hello(session, event)
