"""The parts that a server is made of refuse what they cannot work with, when they are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import (
    CertificateChecker,
    DirectoryChecker,
    StoreRealm,
    TokenChecker,
    store_portal,
)
from mailproto.auth.passwords import PasswordVerifier
from mailproto.backends import MemoryStore, SimpleAccount, SimpleMailbox, SQLiteStore, open_store
from mailproto.content import Content
from mailproto.delivery import (
    CatchAllDelivery,
    Delivery,
    DeliverySession,
    FunctionDelivery,
    MailboxDelivery,
    PerSession,
)
from mailproto.listening import Listener
from mailproto.model import Session
from mailproto.smtp import SMTPServerFactory
from mailproto.tls import client_tls, server_tls
from tests.arguments import assert_refused


class Mine(DeliverySession):
    async def deliver(self, envelope: Any, content: Any) -> None:
        pass


class PartTestCase(SynchronousTestCase):
    def refused(self, line: str, call: Any, /, *arguments: Any, **named: Any) -> None:
        assert_refused(self, line, call, *arguments, **named)


class DeliveryTests(PartTestCase):
    def test_functions(self) -> None:
        takes = "function must be a function of an Envelope and a Content, not "
        self.refused(f"{takes}None", FunctionDelivery, None)
        delivery = FunctionDelivery(print)
        given = f"{takes}an object of the class FunctionDelivery: give a delivery to the server itself"
        self.refused(given, FunctionDelivery, delivery)
        self.refused(f"{takes}the class Delivery: give a delivery to the...", FunctionDelivery, Delivery)
        takes_one = f"{takes}the function <lambda>: it takes (envelope)"
        self.refused(takes_one, FunctionDelivery, lambda envelope: None)
        line = "service_extensions must be a ServiceExtensions, not a dict"
        self.refused(line, FunctionDelivery, print, {"dsn": True})

    def test_sessions(self) -> None:
        takes = (
            "make must be a subclass of DeliverySession, or a function of a Session that returns an object of"
        )
        takes += " one, not "
        self.refused(f"{takes}None", PerSession, None)
        mine = Mine(Session("SMTP", "mx.example"))
        self.refused(f"{takes}an object of the class Mine: write PerSession(Mine)", PerSession, mine)
        self.refused("service_extensions must be a ServiceExtensions, not None", PerSession, Mine, None)

        class Unfinished(DeliverySession):
            pass

        class Other(Delivery):
            async def deliver(self, envelope: Any, content: Any) -> None:
                pass

        class Short(DeliverySession):
            async def deliver(self, envelope: Any) -> None:
                pass

        class More(Mine):
            def __init__(self, session: Session, store: Any) -> None:
                super().__init__(session)

        self.refused(f"{takes}the class Unfinished: it has no deliver", PerSession, Unfinished)
        self.refused(f"{takes}the class Other", PerSession, Other)
        lacks = "its deliver cannot be called with (envelope, content)"
        self.refused(f"{takes}the class Short: {lacks}", PerSession, Short)
        self.refused(f"{takes}the class More: it takes (session, store)", PerSession, More)
        self.refused(f"{takes}the function <lambda>: it takes ()", PerSession, lambda: Mine)
        PerSession(lambda session: More(session, None))

    def test_mailboxes(self) -> None:
        store = MemoryStore()
        domains = "domains must be a list such as ['example.org']"
        for line, arguments in (
            ("store must be an object that provides IStore, not None: it has no...", (None, ["x.example"])),
            (
                "store must be an object that provides IStore, not the class MemoryStore: write...",
                (MemoryStore, ["x"]),
            ),
            (f"{domains}, not 'x.example': write ['x.example']", (store, "x.example")),
            (f"{domains}, not None", (store, None)),
            (f"{domains}, with at least one, not []", (store, [])),
            ("each of domains must be a str such as 'example.org', not b'x'", (store, [b"x"])),
            ("domains: 'a@x.example' has the label 'a@x'...", (store, ["a@x.example"])),
            ("domains: '' has an empty label", (store, [""])),
        ):
            with self.subTest(arguments=arguments):
                self.refused(line, MailboxDelivery, *arguments)
        self.refused("clock must be the reactor, or...", MailboxDelivery, store, ["x.example"], clock=5)
        self.refused(
            "store must be an object that provides IStore, not None...", CatchAllDelivery, None, "dev"
        )
        self.refused("account must be an account's name, a str, not None", CatchAllDelivery, store, None)
        self.refused(
            "account must be an account's name such as 'dev@example.org', not...",
            CatchAllDelivery,
            store,
            "a\r\nb",
        )
        MailboxDelivery(store, ("x.example", "b\u00fccher.example", "[192.0.2.1]"))


class SigningInTests(PartTestCase):
    def test_stores(self) -> None:
        store = MemoryStore()
        takes = "store must be an object that provides IStore, not "
        self.refused(f"{takes}an object of the class Clock: it has no...", StoreRealm, Clock())
        self.refused(f"{takes}an object of the class Clock: it has no...", store_portal, Clock(), store)
        self.refused("reactor must be the reactor, or...", store_portal, store, "reactor")
        self.refused("clock must be the reactor, or...", StoreRealm, store, "now")

    def test_checkers(self) -> None:
        directory = MemoryStore().directory
        takes = "directory must be an object that provides IDirectory, not "
        verifier = PasswordVerifier(Clock())
        self.refused(
            f"{takes}a dict: it has no names()...",
            DirectoryChecker,
            {"alice": "secret"},
            verifier,
        )
        self.refused(
            "verifier must be a PasswordVerifier, not the class...",
            DirectoryChecker,
            directory,
            PasswordVerifier,
        )
        self.refused(
            "default_domain must be a str, not None",
            DirectoryChecker,
            directory,
            verifier,
            default_domain=None,
        )
        self.refused(f"{takes}None: it has no...", CertificateChecker, None)
        self.refused(
            "validate must be a function of a name and a token, not 'secret'", TokenChecker, "secret"
        )
        self.refused("reactor must be the reactor, or...", PasswordVerifier, None)
        self.refused(
            "threads must be a whole number of at least 1, not 0", PasswordVerifier, Clock(), threads=0
        )


class ListenerTests(PartTestCase):
    def test_wrong_arguments(self) -> None:
        factory = SMTPServerFactory(FunctionDelivery(print), clock=Clock())
        takes = "endpoint must be an endpoint string such as 'tcp:8025:interface=127.0.0.1', or an"
        takes += " IStreamServerEndpoint, not "
        self.refused(f"{takes}8025: write 'tcp:8025'", Listener, 8025, factory)
        self.refused(f"{takes}('127.0.0.1', 25)", Listener, ("127.0.0.1", 25), factory)
        such = ": such as mailproto.smtp.SMTPServerFactory(delivery)"
        takes = "factory must be a factory of protocols, not "
        self.refused(f"{takes}the class SMTPServerFactory{such}", Listener, "tcp:0", SMTPServerFactory)
        self.refused(f"{takes}an object of the class Function...", Listener, "tcp:0", FunctionDelivery(print))
        self.refused("name must be a str, not None", Listener, "tcp:0", factory, name=None)
        self.refused("listening must be a function of a...", Listener, "tcp:0", factory, listening="x")
        self.refused("reactor must be the reactor, or...", Listener, "tcp:0", factory, reactor=factory)


class FileTests(PartTestCase):
    def test_tls(self) -> None:
        pem = "-----BEGIN CERTIFICATE-----\n"
        self.refused("cert_file must be the path of a PEM file, not None", server_tls, None, "key.pem")
        self.refused("cert_file must be the path of a PEM file, not its content", server_tls, pem, "key.pem")
        self.refused("key_file must be the path of a PEM file, not b'...", server_tls, "cert.pem", b"key.pem")
        line = "client_ca must be the path of a PEM file, or None, not ['ca.pem']"
        self.refused(line, server_tls, "cert.pem", Path("key.pem"), client_ca=["ca.pem"])
        self.refused("hostname must be a str, not b'mx.example'", client_tls, b"mx.example")
        self.refused("verify must be True or False, not 'no'", client_tls, "mx.example", verify="no")
        line = "trust_root must be the path of a PEM file, or None, not its content"
        self.refused(line, client_tls, "mx.example", trust_root=pem)
        line = (
            "client_certificate must be a PrivateCertificate or None, not 'cert.pem': twisted.internet.ssl..."
        )
        self.refused(line, client_tls, "mx.example", client_certificate="cert.pem")

    def test_stores(self) -> None:
        self.refused(
            "url must be a str such as 'sqlite:', not PosixPath('x')", open_store, Path("x"), "x", Clock()
        )
        self.refused(
            "data_folder must be the path of a folder, not None", open_store, "sqlite:", None, Clock()
        )
        self.refused("reactor must be the reactor, or...", open_store, "sqlite:", "x", None)
        self.refused(
            "path must be the path of a folder, or of a file in .sqlite3, not None",
            SQLiteStore,
            None,
            reactor=Clock(),
        )
        self.refused("reactor must be the reactor, or...", SQLiteStore, "x", reactor=None)

    def test_mailboxes(self) -> None:
        line = "mailbox 'Sent' must be an object that provides IMailbox, not 5: it has no name, it has no..."
        self.refused(line, SimpleAccount, "alice", {"Sent": 5})
        line = "mailbox 'Sent' must be an object that provides IMailbox, not the class Simple..."
        self.refused(line, SimpleAccount, "alice", {"Sent": SimpleMailbox})

    def test_contents(self) -> None:
        self.refused("content must be octets: write text.encode()", Content, "Subject: x\r\n")
        self.refused("content must be bytes or a Content, not NoneType", Content, None)
        self.assertEqual(bytes(Content(bytearray(b"x"))), b"x")  # type: ignore[arg-type]
