"""EHLO, RSET, NOOP, QUIT and STARTTLS (RFC 5321 4.1.1, RFC 3207)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailproto.smtp.server import _replies as replies
from mailproto.smtp.wire import Auth, Data, Event, Hello, Mail, Noop, Quit, Rcpt, Rset, StartTLS, render_lines

if TYPE_CHECKING:
    from mailproto.smtp.server._server import SMTPServer

__all__ = ["hello", "hello_before_tls", "noop", "quit", "rset", "starttls", "tls_first"]


def hello(server: SMTPServer, event: Hello) -> None:
    """HELO, EHLO and LHLO: begin a new session, and list the extensions."""
    if event.verb not in server.greetings:
        server.error(replies.WRONG_GREETING)
        return
    server.forget_transaction()
    server.hello = event
    server.session_changed()
    server.end_if_exhausted(server.error_budget.idle_command())
    hostname = server.factory.hostname
    if event.verb == "HELO":
        server.write(f"250 {hostname}\r\n".encode())
    else:
        server.write(render_lines(250, [hostname, *server.offers.lines(server.clock.seconds())]))


def rset(server: SMTPServer, event: Rset) -> None:
    """RSET: forget the transaction."""
    server.forget_transaction()
    server.answer_idle_command(replies.RESET)


def noop(server: SMTPServer, event: Noop) -> None:
    """NOOP: answer 250."""
    server.answer_idle_command(replies.OK)


def quit(server: SMTPServer, event: Quit) -> None:
    """QUIT: answer 221 and close the connection."""
    server.end(f"221 2.0.0 {server.factory.hostname} closing connection\r\n".encode(), "quit")


def starttls(server: SMTPServer, event: StartTLS) -> None:
    """STARTTLS: start the handshake."""
    if server.is_encrypted:
        server.error(replies.TLS_ALREADY)
    elif not server.can_start_tls:
        server.error(replies.NOT_IMPLEMENTED)
    elif server.start_tls(replies.START_TLS):
        server.encrypted()


# -- where TLS comes first (RFC 3207 4)


def tls_first(server: SMTPServer, event: Event) -> None:
    """Refuse any command."""
    if isinstance(event, Rcpt | Data):
        server.misplaced(replies.TLS_FIRST)
        return
    command = ""
    if isinstance(event, Mail):
        server.error_budget.excuse_pipelined()
        command = "MAIL"
    elif isinstance(event, Auth):
        command = "AUTH"
    server.error(replies.TLS_FIRST, command, event)


def hello_before_tls(server: SMTPServer, event: Hello) -> None:
    """Accept only EHLO and LHLO, because their reply offers STARTTLS."""
    if event.verb == "HELO":
        server.error(replies.TLS_FIRST)
    else:
        hello(server, event)
