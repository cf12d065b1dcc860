"""A realm that gives what no server can use is named in the log, and the client may try again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import UsernamePassword
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailproto.auth import password_portal
from mailproto.auth._avatars import checked_portal
from mailproto.auth.sasl import SASLServer
from mailproto.delivery import FunctionDelivery
from mailproto.errors import AuthenticationFailed, NoSuchAccount, TemporaryAuthenticationFailure
from mailproto.imap import IMAPServerFactory
from mailproto.interfaces import IAccount, IIdentity
from mailproto.pop3 import POP3ServerFactory
from mailproto.smtp import SMTPServerFactory
from tests.auth.fakes import Account

account: Any = Account
"""A function that returns an account, as far as these tests need one."""


class Plain:
    """An avatar that says nothing about itself."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


@implementer(IRealm)
class MyRealm:
    def __init__(self, answer: Callable[..., Any]) -> None:
        self.answer = answer

    def requestAvatar(self, avatar_id: Any, mind: Any, *interfaces: Any) -> Any:
        return self.answer(*interfaces)


def nothing() -> None:
    """No session to end."""


class AvatarTests(SynchronousTestCase):
    def sign_in(self, answer: Callable[..., Any], wanted: Any = IAccount) -> Deferred[Any]:
        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        portal = Portal(MyRealm(answer), [checker])
        server = SASLServer(portal, clock=Clock(), failure_delay=0, wanted=wanted)
        return Deferred.fromCoroutine(server.login(UsernamePassword(b"alice", b"secret"), "LOGIN"))

    def assert_fault(self, what: str, answer: Any, wanted: Any = IAccount) -> None:
        with capturedLogs() as events:
            asked = self.sign_in(lambda *interfaces: answer, wanted)
            self.failureResultOf(asked, TemporaryAuthenticationFailure)
        [line] = [
            formatEvent(event)
            for event in events
            if event["log_level"] is LogLevel.error and event["log_namespace"] != "mail"
        ]
        self.assertIn(
            "the realm tests.auth.test_realms.MyRealm gave " + what.replace("{}", "an object of the class"),
            line,
        )

    def test_faults(self) -> None:
        ended: list[None] = []
        octets: Any = b"alice"
        for answer, what in (
            (None, "None: return (IAccount, account, logout)"),
            (Account("alice"), "{} Account: return"),
            ((IAccount, Account("alice")), "{} tuple: return"),
            ((IAccount, Account("alice"), None), "{} tuple: return"),
            ((IAccount, Plain(name="alice"), nothing), "{} Plain, which does not provide IAccount: mark its"),
            ((IAccount, None, nothing), "None, which does not provide IAccount"),
            ((IAccount, Account(octets), nothing), "{} Account, which has {} bytes as its name: set its"),
            ((IAccount, Account(""), nothing), "{} Account, which has {} str as its name"),
            ((IAccount, Plain(), lambda: ended.append(None)), "{} Plain, which does not"),
        ):
            self.assert_fault(what, answer)
        self.assertEqual(len(ended), 1, "what was opened is released")

    def test_faults_where_a_name_is_enough(self) -> None:
        self.assert_fault("{} Plain, which has no name", (IIdentity, Plain(), nothing), IIdentity)
        numbered = Plain(name=1)
        self.assert_fault("{} Plain, which has {} int as its name", (IIdentity, numbered, nothing), IIdentity)

    def test_a_name_is_enough_for_smtp(self) -> None:
        asked = self.sign_in(lambda *interfaces: (IIdentity, Plain(name="alice"), nothing), IIdentity)
        self.assertEqual(self.successResultOf(asked).name, "alice")

    def test_what_is_asked_for(self) -> None:
        """A realm that looks for IAccount serves SMTP, too."""
        asked: list[Any] = []

        def answer(*interfaces: Any) -> Any:
            asked.append(interfaces)
            return IAccount, Account("alice"), nothing

        for wanted in (IAccount, IIdentity):
            self.successResultOf(self.sign_in(answer, wanted))
        self.assertEqual(asked, [(IAccount,), (IAccount, IIdentity)])

    def test_a_coroutine(self) -> None:
        async def answer(*interfaces: Any) -> Any:
            return IAccount, Account("alice"), nothing

        self.assertEqual(self.successResultOf(self.sign_in(answer)).name, "alice")

    def test_no_such_account_is_not_told(self) -> None:
        async def answer(*interfaces: Any) -> Any:
            raise NoSuchAccount(detail="gone")

        self.failureResultOf(self.sign_in(answer), AuthenticationFailed)


class ConstructionTests(SynchronousTestCase):
    FACTORIES = (POP3ServerFactory, IMAPServerFactory)

    def delivery(self) -> FunctionDelivery:
        return FunctionDelivery(lambda *_: None)

    def test_no_portal(self) -> None:
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        for given in ({"alice": "secret"}, checker, Portal, password_portal, object(), MyRealm(nothing)):
            with self.subTest(given=given):
                self.assertRaisesRegex(
                    TypeError,
                    "^portal must be a twisted.cred.portal.Portal, not .*: write ",
                    checked_portal,
                    given,
                )

    def test_names_are_not_enough_for_pop3_and_imap(self) -> None:
        portal = password_portal({"alice": "secret"})
        for factory in self.FACTORIES:
            error = self.assertRaises(ValueError, factory, portal, clock=Clock(), hostname="mx.example")
            self.assertRegex(
                str(error), r"^portal must be .* which (POP3|IMAP) needs, .* password_portal\(check, acc"
            )

    def test_accounts_are(self) -> None:
        portal = password_portal({"alice": "secret"}, account=account)
        for factory in self.FACTORIES:
            factory(portal, clock=Clock(), hostname="mx.example")

    def test_login_without_a_portal(self) -> None:
        settings: Any
        for settings in ({"submission": True}, {"auth_required": True}):
            reason = next(iter(settings))
            with self.assertRaisesRegex(
                ValueError, f"^portal must be a Portal with {reason}=True, which takes mail only after login"
            ):
                SMTPServerFactory(self.delivery(), clock=Clock(), hostname="mx.example", **settings)

    def test_mechanisms(self) -> None:
        portal = password_portal({"alice": "secret"}, account=account)
        for factory in self.FACTORIES:
            made = factory(portal, clock=Clock(), hostname="mx.example", mechanisms=["plain"])
            self.assertEqual([mechanism.name for mechanism in made.mechanisms or ()], ["PLAIN"])
            with self.assertRaisesRegex(ValueError, "must be one of EXTERNAL, .*, not 'GSSAPI'"):
                factory(portal, clock=Clock(), hostname="mx.example", mechanisms=["GSSAPI"])
            with self.assertRaisesRegex(TypeError, "must be a list such as"):
                factory(portal, clock=Clock(), hostname="mx.example", mechanisms="PLAIN")
