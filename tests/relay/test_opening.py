"""Clients are opened to exchanges: the addresses in order, and errors that can be outcomes."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import Password
from mailproto.client.errors import (
    AuthenticationRefused,
    ClientError,
    ConnectFailed,
    GreetingRefused,
    ServiceClosing,
    TLSUnavailable,
)
from mailproto.errors import MailError
from mailproto.relay._exchange import TLSDemand
from mailproto.relay.servers import Exchange, Opener
from mailproto.smtp import SMTPClient
from mailproto.smtp.limits import SMTPTimeouts
from mailproto.smtp.lmtp import LMTPClient
from tests.smtp.client.network import CLOSE, REFUSE, SILENT, Network, serving

FIRST, SECOND, SIXTH = "192.0.2.1", "192.0.2.2", "2001:db8::6"
PLAIN = TLSDemand("none")


class Case(SynchronousTestCase):
    def network(self, *scripts: Any) -> None:
        scripted = dict(zip((FIRST, SECOND, SIXTH), scripts, strict=False))
        self.net = Network(lambda host, number: scripted.get(host, scripts[-1]), {})

    def open(self, *addresses: str, **parts: Any) -> Deferred[SMTPClient]:
        timeouts = parts.pop("timeouts", None)
        opener = Opener(self.net, hostname="relay.example", timeouts=timeouts)
        exchange = Exchange(parts.pop("host", "mx.example"), addresses or (FIRST,), **{"tls": PLAIN, **parts})
        opening = ensureDeferred(opener.open_client(exchange))
        self.net.run(lambda: bool(opening.called), 4000)
        return opening

    def error(self, *addresses: str, **parts: Any) -> Any:
        error = self.failureResultOf(self.open(*addresses, **parts), MailError).value
        self.net.run(lambda: not self.net.open_connections, 400)
        self.net.advance(1)
        self.assertEqual(self.net.getDelayedCalls(), [])
        return error


class AddressTests(Case):
    def test_ready_to_send(self) -> None:
        self.network(serving())
        client = self.successResultOf(self.open())
        self.assertIs(type(client), SMTPClient)
        self.assertIn("PIPELINING", client.capabilities)
        self.assertEqual(self.net.connections[0].heard, ["EHLO relay.example"])

    def test_the_first_that_works(self) -> None:
        for bad in (
            serving(connect=REFUSE),
            serving(connect=SILENT),
            serving(greeting="554 5.3.2 No"),
            serving(greeting="421 4.3.2 Full|close"),
            serving(greeting=SILENT),
            serving(EHLO=CLOSE),
            serving(EHLO="550 5.7.1 Go", HELO="550 5.7.1 Go"),
        ):
            self.network(bad, serving())
            self.successResultOf(self.open(FIRST, SECOND))
            self.assertEqual(self.net.asked, [FIRST, SECOND])
            self.net.run(lambda: len(self.net.open_connections) == 1, 400)

    def test_in_the_given_order(self) -> None:
        self.network(serving(connect=REFUSE))
        self.error(SIXTH, SECOND, FIRST)
        self.assertEqual(self.net.asked, [SIXTH, SECOND, FIRST])

    def test_lmtp(self) -> None:
        self.network(serving(LHLO="250 mx.example"))
        self.assertIs(type(self.successResultOf(self.open(is_lmtp=True))), LMTPClient)


class ErrorTests(Case):
    def test_no_connection(self) -> None:
        self.network(serving(connect=REFUSE), serving(connect=SILENT))
        error = self.error(FIRST, SECOND)
        self.assertEqual((type(error), error.code, error.enhanced), (ConnectFailed, 451, "4.4.1"))
        self.assertEqual(
            str(error),
            "Cannot connect to mx.example:25: 192.0.2.1: Connection was refused by other side;"
            " 192.0.2.2: no answer within 30 s",
        )

    def test_a_reason_is_said_once(self) -> None:
        self.network(serving(connect=REFUSE), serving(connect=REFUSE))
        self.assertEqual(
            str(self.error(FIRST, SECOND)),
            "Cannot connect to mx.example:25 (192.0.2.1, 192.0.2.2): Connection was refused by other side",
        )
        self.network(serving(connect=REFUSE))
        self.assertEqual(
            str(self.error(FIRST)),
            "Cannot connect to mx.example:25 (192.0.2.1): Connection was refused by other side",
        )
        self.network(serving(connect=REFUSE))
        self.assertEqual(
            str(self.error(FIRST, host=FIRST)),
            "Cannot connect to 192.0.2.1:25: Connection was refused by other side",
        )

    def test_a_refusal_has_the_servers_words(self) -> None:
        self.network(serving(greeting="554 5.7.1 You are on a list"))
        error = self.error()
        self.assertEqual((type(error), error.code, error.enhanced), (GreetingRefused, 554, "5.7.1"))
        self.assertEqual(str(error), "mx.example[192.0.2.1]: 554 5.7.1 You are on a list")
        self.assertEqual(error.reply.text, "You are on a list")

    def test_a_temporary_error_comes_before_a_permanent_one(self) -> None:
        refused, later = serving(greeting="554 5.7.1 No"), serving(greeting="421 4.3.2 Later|close")
        for scripts in ([refused, later], [later, refused]):
            self.network(*scripts)
            self.assertIs(type(self.error(FIRST, SECOND)), ServiceClosing)
        for scripts in ([refused, serving(connect=REFUSE)], [serving(connect=REFUSE), refused]):
            self.network(*scripts)
            self.assertIs(type(self.error(FIRST, SECOND)), ConnectFailed)

    def test_a_servers_words_come_before_a_lack_of_connection(self) -> None:
        self.network(serving(connect=REFUSE), serving(greeting="450 4.7.1 Later"))
        self.assertEqual(self.error(FIRST, SECOND).enhanced, "4.7.1")

    def test_all_addresses_have_one_limit_of_time(self) -> None:
        self.network(serving(greeting=SILENT))
        error = self.error(FIRST, SECOND, timeouts=SMTPTimeouts(opening=400))
        self.assertEqual(str(error), "Cannot connect to mx.example:25: not ready within 400 s")
        self.assertEqual(self.net.asked, [FIRST, SECOND])
        self.assertEqual(error.code, 451)

    def test_cancelling_closes(self) -> None:
        self.network(serving(greeting=SILENT))
        opener = Opener(self.net, hostname="relay.example")
        opening = ensureDeferred(opener.open_client(Exchange("mx.example", (FIRST,), tls=PLAIN)))
        self.net.advance(1)
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.assertEqual(self.net.open_connections, [])
        self.assertEqual(self.net.getDelayedCalls(), [])


class DemandTests(Case):
    def test_a_server_without_tls(self) -> None:
        for level in ("required", "verified"):
            self.network(serving())
            error = self.error(tls=TLSDemand(level, ("mx.example",)))  # type: ignore[arg-type]
            self.assertIs(type(error), TLSUnavailable)
            self.assertEqual((error.code, error.enhanced), (451, "4.7.4"))
            self.assertNotIn("MAIL", " ".join(self.net.connections[0].heard))

    def test_a_server_that_refuses_tls(self) -> None:
        """That can be mended, so it is temporary, whatever the server says."""
        self.network(serving(EHLO="250-mx\r\n250 STARTTLS", STAR="554 5.7.0 Never"))
        error = self.error(tls=TLSDemand("required"))
        self.assertEqual((type(error), error.code, error.reply), (TLSUnavailable, 451, None))
        self.assertIn("554 5.7.0 Never", str(error))

    def test_none_is_not_even_tried(self) -> None:
        self.network(serving(EHLO="250-mx\r\n250 STARTTLS"))
        self.successResultOf(self.open())
        self.assertEqual(self.net.connections[0].heard, ["EHLO relay.example"])

    def test_opportunistic(self) -> None:
        for script in (serving(), serving(EHLO="250-mx\r\n250 STARTTLS", STAR="454 4.7.0 Not now")):
            self.network(script)
            client = self.successResultOf(self.open(tls=TLSDemand()))
            self.assertFalse(client.is_encrypted)
            self.assertEqual(len(self.net.asked), 1)

    def test_requiretls_is_not_offered(self) -> None:
        self.network(serving())
        error = self.error(tls=TLSDemand("none", needs_requiretls=True))
        self.assertEqual((error.code, error.enhanced), (550, "5.7.30"))
        self.assertIn("mx.example does not offer REQUIRETLS", str(error))


class CredentialsTests(Case):
    def setUp(self) -> None:
        self.password = Password("bob", "secret")

    def test_refused_credentials_can_be_mended(self) -> None:
        """Mail must not bounce because the operator has a wrong password."""
        self.network(serving(EHLO="250-mx\r\n250 AUTH PLAIN", AUTH="535 5.7.8 Wrong"))
        self.net.peer = "127.0.0.1"
        error = self.error(credentials=self.password)
        self.assertEqual((type(error), error.code, error.reply), (AuthenticationRefused, 451, None))
        self.assertIn("535 5.7.8 Wrong", str(error))

    def test_they_are_not_sent_in_clear(self) -> None:
        self.network(serving(EHLO="250-mx\r\n250 AUTH PLAIN", AUTH="235 2.7.0 OK"))
        error = self.error(credentials=self.password)
        self.assertIsInstance(error, ClientError)
        self.assertEqual(error.enhanced, "4.7.4")
        self.assertNotIn("AUTH", " ".join(self.net.connections[0].heard))

    def test_signed_in(self) -> None:
        self.network(serving(EHLO="250-mx\r\n250 AUTH PLAIN", AUTH="235 2.7.0 OK"))
        self.net.peer = "127.0.0.1"
        client = self.successResultOf(self.open(credentials=self.password))
        self.assertEqual(client.authenticated_by, "PLAIN")
