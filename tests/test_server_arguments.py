"""What a server cannot work with is refused when its factory is made, not by 451 to each client."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailproto.auth import StoreRealm
from mailproto.backends import MemoryStore, SimpleAccount
from mailproto.connection.proxy import Networks, ProxiedFactory
from mailproto.delivery import Delivery, DeliverySession, FunctionDelivery, PerSession
from mailproto.imap import IMAPServerFactory
from mailproto.imap.limits import IMAPLimits
from mailproto.interfaces import IDelivery, IDeliverySessions, IOwnership, IServiceExtensions, IVerifier
from mailproto.model import ServiceExtensions
from mailproto.pop3 import POP3ServerFactory
from mailproto.pop3.limits import POP3Limits
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits
from mailproto.smtp.lmtp import LMTPServerFactory
from mailproto.tls import client_tls
from tests.arguments import assert_refused

DELIVERY = FunctionDelivery(lambda envelope, content: None)


class Mine(Delivery):
    async def deliver(self, envelope: Any, content: Any) -> None:
        pass


class MySession(DeliverySession):
    async def deliver(self, envelope: Any, content: Any) -> None:
        pass


class Bare:
    """No declaration, but all methods, plain ones."""

    def sender(self, session: Any, path: Any, parameters: Any) -> None:
        pass

    def recipient(self, session: Any, path: Any, parameters: Any) -> None:
        pass

    def deliver(self, envelope: Any, content: Any, note: str = "") -> None:
        pass


class Short(Bare):
    recipient = None  # type: ignore[assignment]

    def deliver(self, envelope: Any) -> None:  # type: ignore[override]
        pass


class Half:
    async def deliver(self, envelope: Any, content: Any) -> None:
        pass


class Begins:
    def begin(self, session: Any) -> Any:
        pass


class ArgumentTestCase(SynchronousTestCase):
    def refused(self, line: str, call: Any, /, *arguments: Any, **named: Any) -> None:
        assert_refused(self, line, call, *arguments, clock=Clock(), hostname="mx.example", **named)


class DeliveryTests(ArgumentTestCase):
    def test_what_is_no_delivery(self) -> None:
        either = "delivery must be an object that provides IDelivery or IDeliverySessions, not "
        one = "delivery must be an object that provides IDelivery, not "

        def handle(envelope: Any, content: Any) -> None:
            pass

        for given, line in (
            (None, f"{one}None: derive its class from mailproto.delivery.Delivery"),
            ("handler", f"{one}'handler': derive its class from mailproto.delivery.Delivery"),
            (Mine, f"{either}the class Mine: write Mine()"),
            (MySession, f"{either}the class MySession: write mailproto.delivery.PerSession(MySession)"),
            (handle, f"{either}the function handle: write mailproto.delivery.FunctionDelivery(handle)"),
            (
                MySession(Mock()),
                f"{either}an object of the class MySession: each connection needs its own:"
                " write mailproto.delivery.PerSession(MySession)",
            ),
            (
                Half(),
                f"{one}an object of the class Half: it has no sender(session, path, parameters),"
                " it has no recipient(session, path, parameters)",
            ),
            (
                Short(),
                f"{one}an object of the class Short:"
                " its recipient cannot be called with (session, path, parameters),"
                " its deliver cannot be called with (envelope, content)",
            ),
            (
                Begins(),
                f"{either}an object of the class Begins: declare its class with"
                " @implementer(IDeliverySessions)",
            ),
            (
                MemoryStore(),
                f"{either}an object of the class MemoryStore:"
                " write mailproto.delivery.MailboxDelivery(store, ['example.org'])",
            ),
            (
                Portal(StoreRealm(MemoryStore())),
                f"{one}an object of the class Portal: derive its class from mailproto.delivery.Delivery",
            ),
        ):
            for factory in (SMTPServerFactory, LMTPServerFactory):
                with self.subTest(given=given):
                    self.refused(line, factory, given)

    def test_optional_contracts_that_are_declared(self) -> None:
        @implementer(IVerifier)
        class Verifier(Bare):
            pass

        @implementer(IServiceExtensions)
        class Extended(Bare):
            service_extensions = {"dsn": True}

        @implementer(IDeliverySessions)
        class Sessions:
            def begin(self) -> Any:
                pass

        line = (
            "delivery must be an object that provides IVerifier, not an object of the class Verifier:"
            " it has no verify(session, name)"
        )
        self.refused(line, SMTPServerFactory, Verifier())
        line = "service_extensions of an object of the class Extended must be a ServiceExtensions, not a dict"
        self.refused(line, SMTPServerFactory, Extended())
        line = (
            "delivery must be an object that provides IDeliverySessions, not an object of the class Sessions:"
            " its begin cannot be called with (session)"
        )
        self.refused(line, SMTPServerFactory, Sessions())

    def test_optional_contracts_that_are_not_declared(self) -> None:
        """Without the declaration they would be ignored, without a word."""

        class Owner(Bare):
            def owns(self, account: str, path: Any) -> bool:
                return True

        class Extended(Bare):
            def __init__(self) -> None:
                self.service_extensions = ServiceExtensions(dsn=True)

        line = (
            "delivery has owns, which an object of the class Owner must declare: write"
            " @implementer(IOwnership) above its class, or use another name"
        )
        self.refused(line, SMTPServerFactory, Owner())
        self.refused("delivery has service_extensions, which an...", SMTPServerFactory, Extended())
        SMTPServerFactory(implementer(IOwnership)(Owner)(), clock=Clock())

    def test_what_works_is_taken(self) -> None:
        mocks = (AsyncMock(), AsyncMock(spec=Delivery), Mock(spec=Bare), Mock(spec=Delivery))
        deliveries: list[Any] = [Mine(), PerSession(MySession), Bare(), DELIVERY, *mocks]
        for given in deliveries:
            factory = SMTPServerFactory(given, clock=Clock())
            self.assertIs(factory.delivery, given)
        self.assertFalse(IDelivery.providedBy(Bare()))


class SMTPTests(ArgumentTestCase):
    def test_wrong_arguments(self) -> None:
        networks = "xclient must be a Networks or a list such as ['192.0.2.0/24', '::1', 'unix'], not "
        limits = "limits must be of the class SMTPLimits or None, not "
        for line, named in (
            ("require_tls must be True or False, not 'yes'", {"require_tls": "yes"}),
            (
                "tls must be a TLS context with require_tls=True, which takes mail only after...",
                {"require_tls": True},
            ),
            (
                "portal must be a Portal with submission=True, which takes mail only after...",
                {"submission": True},
            ),
            (
                "portal must be a Portal with auth_required=True, which takes mail only after...",
                {"auth_required": True},
            ),
            ("submission must be True or False, not 'no'", {"submission": "no"}),
            ("auth_required must be True or False, not 'no'", {"auth_required": "no"}),
            ("strict_envelopes must be True or False, not None", {"strict_envelopes": None}),
            ("any_sender must be True or False, not 0", {"any_sender": 0}),
            ("trace_account must be True or False, not ''", {"trace_account": ""}),
            (
                "bare_newlines must be 'refuse' or 'normalise', not 'normalize'",
                {"bare_newlines": "normalize"},
            ),
            ("bare_newlines must be 'refuse' or 'normalise', not True", {"bare_newlines": True}),
            (
                "max_message_size must be a whole number of at least 1, not '1 MB': octets",
                {"max_message_size": "1 MB"},
            ),
            ("max_message_size must be a whole number of at least 1, not 0: octets", {"max_message_size": 0}),
            (
                "max_message_size must be a whole number of at least 1, not None: octets",
                {"max_message_size": None},
            ),
            (f"{networks}'127.0.0.1/8': write ['127.0.0.1/8']", {"xclient": "127.0.0.1/8"}),
            (
                "each of xclient must be a network such as '192.0.2.0/24', not '127.0.0.1/8':"
                " write 127.0.0.0/8",
                {"xclient": ["127.0.0.1/8"]},
            ),
            (f"{networks}True", {"xclient": True}),
            (f"{limits}a dict: write SMTPLimits(...)", {"limits": {"recipients": 5}}),
            (f"{limits}POP3Limits(...", {"limits": POP3Limits()}),
            (f"{limits}the class SMTPLimits: write SMTPLimits(...)", {"limits": SMTPLimits}),
            (
                "spool_folder must be the path of a folder that exists, or None, not '/no/folder'",
                {"spool_folder": "/no/folder"},
            ),
            (
                "spool_folder must be the path of a folder that exists, or None, not b'/tmp'",
                {"spool_folder": b"/tmp"},
            ),
            ("portal must be a twisted.cred.portal.Portal, not 'alice': write...", {"portal": "alice"}),
        ):
            with self.subTest(named=named):
                self.refused(line, SMTPServerFactory, DELIVERY, **named)

    def test_right_arguments(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        factory = SMTPServerFactory(
            DELIVERY, clock=Clock(), xclient=["127.0.0.0/8"], spool_folder=folder, mechanisms=["PLAIN"]
        )
        self.assertIn("127.0.0.9", factory.xclient)
        self.assertNotIn("127.0.0.9", SMTPServerFactory(DELIVERY, clock=Clock()).xclient)
        self.assertEqual(factory.spool_folder, str(folder))


class EveryServerTests(ArgumentTestCase):
    """What all factories have in common."""

    def setUp(self) -> None:
        portal = Portal(StoreRealm(MemoryStore()), [InMemoryUsernamePasswordDatabaseDontUse()])
        self.factories: list[tuple[Any, Any]] = [
            (SMTPServerFactory, DELIVERY),
            (LMTPServerFactory, DELIVERY),
            (POP3ServerFactory, portal),
            (IMAPServerFactory, portal),
        ]

    def each_refuses(self, line: str, **named: Any) -> None:
        arguments = {"clock": Clock(), "hostname": "mx.example", **named}
        for factory, first in self.factories:
            with self.subTest(factory=factory, named=named):
                assert_refused(self, line, factory, first, **arguments)

    def test_tls(self) -> None:
        write = ": write mailproto.tls.server_tls('cert.pem', 'key.pem')"
        takes = "tls must be a TLS context, not "
        self.each_refuses(f"{takes}'cert.pem'{write}", tls="cert.pem")
        self.each_refuses(f"{takes}('cert.pem', 'key.pem'){write}", tls=("cert.pem", "key.pem"))
        self.each_refuses(f"{takes}PosixPath('cert.pem'){write}", tls=Path("cert.pem"))
        self.each_refuses(f"{takes}True{write}", tls=True)
        self.each_refuses(f"{takes}the class {CertificateOptions.__name__}{write}", tls=CertificateOptions)
        self.each_refuses(
            f"{takes}an object of the class SSLContext{write}", tls=ssl.create_default_context()
        )
        for context in (client_tls("mx.example"), client_tls("mx.example", verify=False)):
            self.each_refuses(f"{takes}an object of the class {type(context).__name__}{write}", tls=context)

    def test_hostname(self) -> None:
        example = "hostname must be a str such as 'mail.example.org', not "
        self.each_refuses(f"{example}b'h'", hostname=b"h")
        bad = (
            "bad host",
            "b\u00fc ch\u00e9r",
            "\u00fc..x",
            "a\r\nb",
            "",
            "mx.example\n",
            "mx.example:25",
            "mx/",
        )
        for name in bad:
            line = "hostname must be a domain such as 'mail.example.org' or an address in brackets, not "
            self.each_refuses(f"{line}{name!r}", hostname=name)

    def test_clock(self) -> None:
        takes = "clock must be the reactor, or a twisted.internet.task.Clock in tests, not "
        self.each_refuses(f"{takes}the class Clock", clock=Clock)
        self.each_refuses(f"{takes}5", clock=5)
        self.each_refuses(f"{takes}'reactor'", clock="reactor")

    def test_limits(self) -> None:
        for factory, first in self.factories:
            kind = factory.limits_class.__name__
            line = f"limits must be of the class {kind} or None, not a dict: write {kind}(...)"
            self.refused(line, factory, first, limits={})
        line = "limits must be of the class IMAPLimits or None, not SMTPLimits(..."
        self.refused(line, IMAPServerFactory, self.factories[3][1], limits=SMTPLimits())
        line = "limits must be of the class POP3Limits or None, not IMAPLimits(..."
        self.refused(line, POP3ServerFactory, self.factories[2][1], limits=IMAPLimits())

    def test_mechanisms(self) -> None:
        self.each_refuses(
            "mechanisms must be a list such as ['PLAIN', 'LOGIN'], not 'PLAIN': write ['PLAIN']",
            mechanisms="PLAIN",
        )


class PortalTests(ArgumentTestCase):
    def test_what_is_no_portal(self) -> None:
        takes = "portal must be a twisted.cred.portal.Portal, not "
        store = MemoryStore()
        a = f"{takes}an object of the class "
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        for given, line in (
            (None, f"{takes}None: write mailproto.auth.password_portal(check)"),
            ({"a": "b"}, f"{takes}a dict: write mailproto.auth.password_portal(check)"),
            (Portal, f"{takes}the class Portal: write Portal(realm, [checker])"),
            (StoreRealm(store), f"{a}StoreRealm: write Portal(realm, [checker])"),
            (checker, f"{a}InMemoryUsernamePasswordDatabaseDontUse: write Portal(realm, [checker])"),
            (store, f"{a}MemoryStore: write mailproto.auth.store_portal(store, reactor)"),
            (
                SimpleAccount("alice", {}),
                f"{a}SimpleAccount: write"
                " mailproto.auth.password_portal(check, account=lambda name: account)",
            ),
        ):
            for factory in (POP3ServerFactory, IMAPServerFactory):
                with self.subTest(given=given):
                    self.refused(line, factory, given)

    def test_nobody_could_sign_in(self) -> None:
        portal = Portal(StoreRealm(MemoryStore()))
        line = (
            "portal must be one with checkers, so that somebody can sign in, not an object"
            " of the class Portal:..."
        )
        self.refused(line, POP3ServerFactory, portal)
        self.refused(line, IMAPServerFactory, portal)
        self.refused(line, SMTPServerFactory, DELIVERY, portal=portal)

    def test_imap(self) -> None:
        portal = Portal(StoreRealm(MemoryStore()), [InMemoryUsernamePasswordDatabaseDontUse()])
        line = "max_message_size must be a whole number of at least 1, not '1 MB': octets"
        self.refused(line, IMAPServerFactory, portal, max_message_size="1 MB")
        line = "spool_folder must be the path of a folder that exists, or None, not 3"
        self.refused(line, IMAPServerFactory, portal, spool_folder=3)


class ProxiedTests(SynchronousTestCase):
    def test_wrong_arguments(self) -> None:
        factory = SMTPServerFactory(DELIVERY, clock=Clock())

        def refused(line: str, given: Any, proxies: Any, **named: Any) -> None:
            assert_refused(self, line, ProxiedFactory, given, proxies, **{"clock": Clock(), **named})

        write = ": such as mailproto.smtp.SMTPServerFactory(delivery)"
        takes = "factory must be a factory of protocols, not "
        refused(f"{takes}the class SMTPServerFactory{write}", SMTPServerFactory, [])
        refused(f"{takes}an object of the class FunctionDelivery{write}", DELIVERY, [])
        takes = "proxies must be a Networks or a list such as ['192.0.2.0/24', '::1', 'unix'], not "
        line = f"{takes}'::1': write ['::1']"
        refused(line, factory, "::1")
        refused(f"{takes}None", factory, None)  # no connection would have to name its client
        refused("clock must be the reactor, or...", factory, [], clock=None)
        refused("limits must be of the class Limits or None, not a dict", factory, [], limits={})
        self.assertTrue(ProxiedFactory(factory, ["::1"], clock=Clock()))
        self.assertTrue(ProxiedFactory(factory, Networks(["::1"]), clock=Clock()))
