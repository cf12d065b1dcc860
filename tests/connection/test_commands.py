"""What may be added to a server is checked when it is made; and what is the same for all protocols."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection.commands import ServerCommand, State
from mailproto.imap.server import IMAPServer
from mailproto.pop3.server import POP3Server
from mailproto.smtp.lmtp import LMTPServer, LMTPServerFactory
from mailproto.smtp.server import SMTPServer
from tests.own_commands import FACTORIES, make

SERVERS = {"smtp": SMTPServer, "pop3": POP3Server, "imap": IMAPServer}


def handler(session: Any, arguments: Any) -> None:
    """Answer with success."""


class ConstructionTests(SynchronousTestCase):
    def refused(self, kind: type[Exception], words: str, **options: Any) -> None:
        for protocol in FACTORIES:
            with self.subTest(protocol, **{name: repr(value) for name, value in options.items()}):
                error = self.assertRaises(kind, make, protocol, **options)
                self.assertIn(words, str(error))

    def test_names(self) -> None:
        for name in ("", " ", "X HELLO", "X\r\nQUIT", "XÄ", "9X", "X" * 100, "*", "X(", "\ufb00X", "XHELLO "):
            self.refused(
                ValueError,
                "each name of commands must be a command's name such as 'XHELLO'",
                commands={name: handler},
            )
        self.refused(TypeError, "each name of commands must be a str", commands={b"XHELLO": handler})
        self.refused(TypeError, "a mapping", commands=[("XHELLO", handler)])
        same = {"XHELLO": handler, "xhello": handler}
        self.refused(ValueError, "XHELLO is there twice", commands=same)

    def test_uid_is_no_command_of_imap(self) -> None:
        self.assertRaises(ValueError, make, "imap", commands={"UID": handler})
        self.assertRaises(ValueError, make, "imap", commands={"UID XHELLO": handler})

    def test_handlers(self) -> None:
        for wrong in (None, "handler", 1):
            self.refused(TypeError, "commands['XHELLO'] must be a function", commands={"XHELLO": wrong})
        for wrong in (lambda: None, lambda session: None, lambda a, b, c: None):
            self.refused(
                TypeError,
                "commands['XHELLO'] must be a function of (session, arguments)",
                commands={"XHELLO": wrong},
            )

    def test_states(self) -> None:
        wrong: Any = "any"
        self.refused(
            TypeError,
            "states of commands['XHELLO'] must be a State",
            commands={"XHELLO": ServerCommand(handler, states=wrong)},
        )
        for protocol in ("smtp", "pop3"):
            command = ServerCommand(handler, states=State.SELECTED)
            error = self.assertRaises(ValueError, make, protocol, commands={"XHELLO": command})
            self.assertIn("in which sessions can be", str(error))

    def test_what_exists_is_replaced_only_if_that_is_said(self) -> None:
        for protocol, name in (("smtp", "VRFY"), ("pop3", "top"), ("imap", "Id")):
            error = self.assertRaises(ValueError, make, protocol, commands={name: handler})
            self.assertIn("replaces=True", str(error))
            replacing = ServerCommand(handler, replaces=True)
            make(protocol, commands={name: replacing})
            error = self.assertRaises(ValueError, make, protocol, commands={"XHELLO": replacing})
            self.assertIn("there is no XHELLO to replace", str(error))

    def test_what_the_session_depends_on_is_not_replaced(self) -> None:
        for protocol, names in (
            ("smtp", "EHLO MAIL RCPT DATA BDAT RSET QUIT AUTH STARTTLS XCLIENT"),
            ("pop3", "USER PASS AUTH STLS QUIT CAPA"),
            ("imap", "LOGIN AUTHENTICATE STARTTLS APPEND IDLE SELECT FETCH LOGOUT"),
        ):
            for name in names.split():
                command = ServerCommand(handler, replaces=True)
                error = self.assertRaises(ValueError, make, protocol, commands={name: command})
                self.assertIn("derive a protocol_class", str(error))

    def test_capabilities(self) -> None:
        for wrong in ("", " X", "X\r\nQUIT", "XÄ", "X  Y", "X" * 200):
            self.refused(
                ValueError, "each of capabilities must be words of printable ASCII", capabilities=[wrong]
            )
        self.refused(
            ValueError,
            "each of capabilities must be one that is not announced already, not 'x-one'",
            capabilities=["X-ONE", "x-one"],
        )
        self.refused(TypeError, "must be a list such as ['XHELLO']", capabilities="XHELLO")
        self.refused(TypeError, "each of capabilities must be a str", capabilities=[b"XHELLO"])
        for protocol, own in (("smtp", "STARTTLS"), ("pop3", "STLS"), ("imap", "IDLE"), ("imap", "Starttls")):
            error = self.assertRaises(ValueError, make, protocol, capabilities=[own])
            self.assertIn("not announced already", str(error))

    def test_protocol_classes(self) -> None:
        for protocol, base in SERVERS.items():
            derived = type("Mine", (base,), {})
            factory = make(protocol, protocol_class=derived)
            self.assertIs(type(factory.buildProtocol(None)), derived)
            self.assertIs(type(make(protocol).buildProtocol(None)), base)
            for wrong in (
                object,
                "Mine",
                lambda factory: None,
                SERVERS["imap" if base is not IMAPServer else "smtp"],
            ):
                error = self.assertRaises(TypeError, make, protocol, protocol_class=wrong)
                self.assertIn(f"protocol_class must be a subclass of {base.__name__}", str(error))

    def test_lmtp_has_its_own_base(self) -> None:
        from mailproto.delivery import FunctionDelivery
        from tests.own_commands import _take

        delivery = FunctionDelivery(_take)
        with self.assertRaisesRegex(TypeError, "a subclass of LMTPServer"):
            LMTPServerFactory(delivery, hostname="mx.example", protocol_class=SMTPServer)
        mine = type("Mine", (LMTPServer,), {})
        factory = LMTPServerFactory(delivery, hostname="mx.example", protocol_class=mine)
        self.assertIs(type(factory.buildProtocol(None)), mine)
