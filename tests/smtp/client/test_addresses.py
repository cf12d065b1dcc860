"""All addresses of a host are tried (RFC 5321 5.1), and an error says what became of each."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import Password
from mailproto.client import ServerAddress
from mailproto.client._routes import HEAD_START, endpoint_name
from mailproto.client.errors import (
    AuthenticationRefused,
    CommandRefused,
    ConnectFailed,
    ConnectionLost,
    GreetingRefused,
    ProtocolViolation,
    ServerTimeout,
    ServiceClosing,
    TLSUnavailable,
)
from mailproto.smtp import SMTPClient, send_mail
from mailproto.smtp.limits import SMTPTimeouts
from mailproto.tls import client_tls
from tests.smtp.client.network import CLOSE, GARBAGE, REFUSE, SILENT, Network, serving

FIRST, SECOND, SIXTH = "192.0.2.1", "192.0.2.2", "2001:db8::6"

AUTH = "250-mx\r\n250-AUTH PLAIN\r\n250 PIPELINING"


class AddressTestCase(SynchronousTestCase):
    def network(self, *scripts: Any, addresses: tuple[str, ...] = (FIRST, SECOND)) -> Network:
        """Each address has a script; the last one has those that are left."""
        scripted = dict(zip(addresses, scripts, strict=False))
        self.net = Network(lambda host, number: scripted.get(host, scripts[-1]), {"mx.example": addresses})
        return self.net

    def open(self, **settings: Any) -> Deferred[SMTPClient]:
        own = {"hostname": "client.example", "timeouts": settings.pop("timeouts", None)}
        server = ServerAddress(**{"host": "mx.example", "tls": "none"} | settings)
        return ensureDeferred(SMTPClient.open(self.net, server, **own))

    def end(self, opening: Deferred[Any], seconds: float) -> float:
        """Until there is a result."""
        return self.net.run(lambda: bool(opening.called), seconds)

    def assert_nothing_left(self) -> None:
        self.net.run(lambda: not self.net.open_connections, 400)
        self.net.advance(1)
        self.assertEqual(self.net.getDelayedCalls(), [])

    def error(self, opening: Deferred[Any], kind: type[Exception], seconds: float = 700) -> Any:
        self.end(opening, seconds)
        error = self.failureResultOf(opening, kind).value
        self.assertIs(type(error), kind)
        self.assert_nothing_left()
        return error


# What is wrong with an address: its script, how long it holds us up, the error where it is all
# there is, and its text.
WRONG: dict[str, tuple[Any, float, type[Exception], str]] = {
    "refused": (serving(connect=REFUSE), 0.1, ConnectFailed, "Connection was refused by other side"),
    "silent": (serving(connect=SILENT), HEAD_START + 0.1, ConnectFailed, "no answer within 30 s"),
    "greeting: 554": (serving(greeting="554 5.3.2 No"), 0.1, GreetingRefused, "554 5.3.2 No"),
    "greeting: 521": (serving(greeting="521 No mail"), 0.1, GreetingRefused, "521 No mail"),
    "greeting: 450": (serving(greeting="450 4.3.2 Later"), 0.1, GreetingRefused, "450 4.3.2 Later"),
    "greeting: 421": (serving(greeting="421 4.7.0 Full|close"), 0.1, ServiceClosing, "421 4.7.0 Full"),
    "greeting: silence": (
        serving(greeting=SILENT),
        300.1,
        ServerTimeout,
        "Timed out: no answer to a new connection",
    ),
    "greeting: closed": (serving(greeting=CLOSE), 0.1, ConnectionLost, "Connection lost"),
    "greeting: nonsense": (serving(greeting=GARBAGE), 0.1, ProtocolViolation, ""),
    "EHLO: 421": (serving(EHLO="421 4.7.0 Go|close"), 0.1, ServiceClosing, "421 4.7.0 Go"),
    "EHLO: 550": (serving(EHLO="550 5.7.1 Go", HELO="550 5.7.1 Go"), 0.2, CommandRefused, "550 5.7.1 Go"),
    "EHLO: 450": (serving(EHLO="450 4.7.1 Later"), 0.1, CommandRefused, "450 4.7.1 Later"),
    "EHLO: closed": (serving(EHLO=CLOSE), 0.1, ConnectionLost, "Connection lost"),
    "EHLO: silence": (serving(EHLO=SILENT), 300.1, ServerTimeout, "Timed out: no answer to EHLO"),
    "AUTH: 454": (serving(EHLO=AUTH, AUTH="454 4.7.0 Later"), 0.2, AuthenticationRefused, "454 4.7.0 Later"),
    "AUTH: closed": (serving(EHLO=AUTH, AUTH=CLOSE), 0.1, ConnectionLost, "Connection lost"),
}
GOOD = serving(EHLO=AUTH, AUTH="235 2.7.0 OK")


class NextAddressTests(AddressTestCase):
    def settings(self, name: str) -> dict[str, Any]:
        if not name.startswith("AUTH"):
            return {}
        # A secret goes in clear to this machine only.
        self.net.names = {"localhost": self.net.names["mx.example"]}
        self.net.peer = "127.0.0.1"
        return {"host": "localhost", "credentials": Password("a", "b")}

    def test_the_second_is_good(self) -> None:
        for name, (bad, seconds, _, _) in WRONG.items():
            self.network(bad, GOOD)
            opening = self.open(**self.settings(name))
            self.assertLess(self.end(opening, 1000), seconds + 0.2, name)
            client = self.successResultOf(opening)
            self.assertEqual(self.net.asked, [FIRST, SECOND], name)
            [connection] = self.net.open_connections
            self.assertEqual(connection.host, SECOND, name)
            client.quit()
            self.assert_nothing_left()

    def test_it_is_the_only_one(self) -> None:
        """The error is what happened there, and names it."""
        for name, (bad, _, kind, text) in WRONG.items():
            self.network(bad, addresses=(FIRST,))
            error = self.error(self.open(**self.settings(name)), kind)
            self.assertIn(text, str(error), name)
            self.assertRegex(str(error), f"(mx.example|localhost):[0-9]+: {FIRST}: .", name)
            self.assertEqual(str(error).startswith("Cannot connect to "), kind is ConnectFailed, name)

    def test_both_are_bad(self) -> None:
        """The error has both; it is one that may pass, and rather one that a server caused."""
        for name, (bad, _, kind, text) in WRONG.items():
            self.network(bad, serving(connect=REFUSE))
            settings = self.settings(name)
            opening = self.open(**settings)
            self.end(opening, 1000)
            error = self.failureResultOf(opening).value
            permanent = name in ("greeting: 554", "greeting: 521", "EHLO: 550")
            self.assertIs(type(error), ConnectFailed if permanent else kind, name)
            self.assertFalse(error.is_permanent, name)
            host = settings.get("host", "mx.example")
            self.assertRegex(str(error), f"{host}:[0-9]+: .*{SECOND}: Connection was refused", name)
            self.assertIn(f"{FIRST}: ", str(error), name)
            self.assertIn(text, str(error), name)
            self.assert_nothing_left()

    def test_both_refuse_for_good(self) -> None:
        self.network(serving(greeting="554 5.3.2 No"))
        error = self.error(self.open(), GreetingRefused)
        self.assertTrue(error.is_permanent)
        self.assertEqual(str(error), f"mx.example:25: {FIRST}: 554 5.3.2 No; {SECOND}: 554 5.3.2 No")

    def test_tls_is_required(self) -> None:
        """One that does not offer it is passed over."""
        self.network(serving(), serving(greeting="554 No"))
        error = self.error(self.open(tls="required"), TLSUnavailable)
        self.assertIn("STARTTLS is not offered", str(error))
        self.assertEqual(self.net.asked, [FIRST, SECOND])

    def test_a_wrong_password_is_shown_to_one(self) -> None:
        self.network(serving(EHLO=AUTH, AUTH="535 5.7.8 No"))
        error = self.error(self.open(**self.settings("AUTH")), AuthenticationRefused)
        self.assertEqual(str(error), f"localhost:587: {FIRST}: 535 5.7.8 No")
        self.assertEqual((error.reply.code, error.reply.enhanced, error.reply.text), (535, "5.7.8", "No"))
        self.assertEqual(self.net.asked, [FIRST])

    def test_families(self) -> None:
        """IPv6 and IPv4 alike, in the order that the system gives."""
        for addresses in ((SIXTH, FIRST), (FIRST, SIXTH)):
            self.network(serving(connect=REFUSE), GOOD, addresses=addresses)
            opening = self.open()
            self.end(opening, 1)
            self.assertEqual(self.net.asked, [*addresses])
            self.successResultOf(opening).abort()

    def test_many_that_are_dead(self) -> None:
        addresses = tuple(f"10.0.{each >> 8}.{each & 255}" for each in range(1000))
        for dead in (REFUSE, SILENT):
            self.network(serving(connect=dead), addresses=addresses)
            error = self.error(self.open(), ConnectFailed, 31)
            self.assertIn("; 990 more", str(error))
            self.assertLess(len(str(error)), 1500)

    def test_silence_does_not_hold_up_those_behind(self) -> None:
        """Ten dead ones and a good one."""
        addresses = (*(f"10.0.0.{each}" for each in range(10)), FIRST)
        self.network(*[serving(connect=SILENT)] * 10, GOOD, addresses=addresses)
        opening = self.open()
        self.assertLess(self.end(opening, 5), 10 * HEAD_START + 0.2)
        self.successResultOf(opening).abort()
        self.assert_nothing_left()

    def test_those_left_behind_are_tried_again(self) -> None:
        """The second one was faster, and no good."""
        self.network(serving(connect=SILENT), serving(greeting="421 4.7.0 Full|close"))
        error = self.error(self.open(), ServiceClosing, 31)
        self.assertEqual(self.net.asked, [FIRST, SECOND, FIRST])
        self.assertEqual(
            str(error), f"mx.example:25: {SECOND}: 421 4.7.0 Full; {FIRST}: no answer within 30 s"
        )

    def test_send_mail(self) -> None:
        self.network(serving(greeting="554 No"), GOOD)
        sent = ensureDeferred(
            send_mail(
                self.net,
                ServerAddress("mx.example", tls="none"),
                b"From: a@b.example\r\nTo: c@d.example\r\n\r\n",
            )
        )
        self.end(sent, 10)
        self.assertEqual(self.successResultOf(sent).accepted, ["c@d.example"])
        self.assert_nothing_left()


class LimitTests(AddressTestCase):
    def test_of_it_all(self) -> None:
        self.network(serving(greeting=SILENT))
        opening = self.open(timeouts=SMTPTimeouts(opening=50, greeting=30))
        self.assertLess(self.end(opening, 60), 50.1)
        error = self.error(opening, ConnectFailed)
        self.assertEqual(
            str(error),
            "Cannot connect to mx.example:25: no connection within 50 s "
            f"({FIRST}: Timed out: no answer to a new connection; {SECOND}: still waited for)",
        )

    def test_of_the_look_up(self) -> None:
        self.network(GOOD)
        self.net.resolveHostName = lambda *_, **__: None  # type: ignore[method-assign]
        error = self.error(self.open(), ConnectFailed, 31)
        self.assertEqual(
            str(error), "Cannot connect to mx.example:25: its addresses could not be looked up within 30 s"
        )

    def test_names_that_only_containers_have(self) -> None:
        self.network(GOOD)
        self.net.names = {"my_host": [FIRST], "xn--mnchen-3ya.example": [SECOND]}
        for host, asked in (("my_host", FIRST), ("m\u00fcnchen.example", SECOND)):
            opening = self.open(host=host)
            self.end(opening, 1)
            self.successResultOf(opening).abort()
            self.assertEqual(self.net.asked.pop(), asked)

    def test_no_address(self) -> None:
        self.network(GOOD)
        error = self.error(self.open(host="other.example"), ConnectFailed)
        self.assertEqual(str(error), "Cannot connect to other.example:25: no address was found for this name")

    def test_addresses_need_no_look_up(self) -> None:
        for host, asked in (
            ("192.0.2.7", "192.0.2.7"),
            ("[IPv6:2001:db8::7]", "2001:db8::7"),
            ("::1", "::1"),
        ):
            self.network(serving(connect=REFUSE), addresses=())
            error = self.error(self.open(host=host), ConnectFailed)
            self.assertEqual(self.net.asked, [asked])
            shown = f"[{asked}]:25" if ":" in asked else f"{asked}:25"
            self.assertRegex(str(error), f"^Cannot connect to {shown}: Connection was".replace("[", r"\["))


class CancelTests(AddressTestCase):
    """`CancelledError`, whatever was underway, and nothing is left."""

    def test_opening(self) -> None:
        for script, settings in (
            (serving(connect=SILENT), {}),
            (serving(greeting=SILENT), {}),
            (serving(EHLO=SILENT), {}),
            (serving(QUIT=SILENT, EHLO="450 Later"), {}),
            (serving(), {"credentials": lambda: Deferred()}),
        ):
            for seconds in (0, 0.005, 0.01, 0.02, 0.1, 0.4, 5):
                self.network(script)
                opening = self.open(**settings)  # type: ignore[arg-type]
                self.net.callLater(seconds, opening.cancel)
                self.assertLess(self.end(opening, 6), seconds + 0.001)
                self.failureResultOf(opening, CancelledError)
                self.net.advance(0.05)
                self.assertEqual(self.net.open_connections, [])
                self.assertEqual(self.net.getDelayedCalls(), [])

    def test_connect(self) -> None:
        """Of an endpoint that has an error of its own for it, and of one that does not listen."""

        class Deaf:
            pending: Any = None

            def connect(self, factory: Any) -> Deferred[Any]:
                self.pending = Deferred(lambda each: each.callback(factory.buildProtocol(None)))
                return self.pending

        self.network(serving(connect=SILENT))
        for endpoint in (TCP4ClientEndpoint(self.net, FIRST, 25), Deaf()):
            connecting = ensureDeferred(_Client.connect(self.net, endpoint))  # type: ignore[arg-type]
            connecting.cancel()
            self.failureResultOf(connecting, CancelledError)
            self.net.advance(0.05)
            self.assertEqual(self.net.getDelayedCalls(), [])

    def test_not_connected_in_time(self) -> None:
        self.network(serving(connect=SILENT))
        connecting = ensureDeferred(SMTPClient.connect(self.net, TCP4ClientEndpoint(self.net, FIRST, 25)))
        error = self.error(connecting, ConnectFailed, 31)
        self.assertEqual(str(error), f"Cannot connect to {FIRST}:25: no answer within 30 s")


class _Closed:
    def loseConnection(self) -> None:
        pass


class _Client(SMTPClient):
    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.protocol.transport = _Closed()


class OwnEndpoint:
    """One of a program's own, whose address nothing tells."""

    def connect(self, factory: object) -> None:
        pass


class NameTests(SynchronousTestCase):
    """An error names what an endpoint leads to; Twisted's endpoints do not say it themselves."""

    def test_endpoints(self) -> None:
        tcp = TCP4ClientEndpoint(None, "127.0.0.1", 25)
        for endpoint, name in (
            (tcp, "127.0.0.1:25"),
            (wrapClientTLS(client_tls("mx.example"), tcp), "127.0.0.1:25"),
            (UNIXClientEndpoint(None, "/run/lmtp"), "/run/lmtp"),
            (OwnEndpoint(), "OwnEndpoint"),
        ):
            self.assertEqual(endpoint_name(endpoint), name)
            self.assertEqual(ServerAddress("mx.example", endpoint=endpoint).name(25), f"mx.example at {name}")  # type: ignore[arg-type]

    def test_servers(self) -> None:
        for settings, name in (
            ({}, "localhost:25"),
            ({"host": "mx.example", "tls": "implicit"}, "mx.example:25"),
            ({"host": "[::1]", "port": 2525}, "[::1]:2525"),
        ):
            self.assertEqual(ServerAddress(**settings).name(25), name)  # type: ignore[arg-type]
