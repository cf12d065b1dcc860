"""What a client cannot work with is refused when it is made or called, not by a failed connection."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import Certificate, Password, Token
from mailproto.client import ClientPool, ServerAddress
from mailproto.content import Content
from mailproto.model import Address, Recipient
from mailproto.smtp import SMTPClient, SMTPSender, send_mail
from mailproto.smtp.limits import SMTPLimits, SMTPTimeouts
from tests.arguments import assert_refused

REACTOR = MemoryReactorClock()
CLOCK = "must be the reactor, or a twisted.internet.task.Clock in tests, not "
HOST = "host must be a domain name or an IP address, not "
NAME = "hostname must be a domain such as 'mail.example.org' or an address in brackets, not "
MESSAGE = "From: a@x.example\nTo: b@y.example\n\nHello\n"


class ClientArgumentTestCase(SynchronousTestCase):
    def refused(self, line: str, call: Any, /, *arguments: Any, **named: Any) -> None:
        assert_refused(self, line, call, *arguments, **named)

    def refused_in_time(self, line: str, call: Any, /, *arguments: Any, **named: Any) -> None:
        """The error of a coroutine function, before it has done anything."""
        failure = self.failureResultOf(Deferred.fromCoroutine(call(*arguments, **named)))
        self.refused(line, failure.raiseException)
        self.assertEqual(REACTOR.tcpClients, [])


class ServerAddressTests(ClientArgumentTestCase):
    def test_wrong_values(self) -> None:
        choices = "tls must be 'required' or 'implicit' or 'opportunistic' or 'none', not "
        for line, values in (
            ("host must be a str, not None", {"host": None}),
            ("host must be a str, not b'mx'", {"host": b"mx"}),
            (
                f"{HOST}'mail.example.org:25': it is no IP address (a port is given by itself)",
                {"host": "mail.example.org:25"},
            ),
            (f"{HOST}'a b': it has the label 'a b'...", {"host": "a b"}),
            ("port must be an int from 1 to 65535, not '25'", {"port": "25"}),
            ("port must be an int from 1 to 65535, not True", {"port": True}),
            ("port must be an int from 1 to 65535, not 0", {"port": 0}),
            (f"{choices}True", {"tls": True}),
            (f"{choices}None", {"tls": None}),
            (f"{choices}'starttls'", {"tls": "starttls"}),
            (
                "credentials must be a Password, a Token or a Certificate, not tuple: write"
                " mailproto.auth.Password(name, password)",
                {"credentials": ("alice", "secret")},
            ),
            (
                "credentials must be an object, not the class Password: write Password(...)",
                {"credentials": Password},
            ),
            ("trust_root must be the path of a PEM file, or None, not b'ca.pem'", {"trust_root": b"ca.pem"}),
            (
                "client_certificate must be a PrivateCertificate or None, not 'cert.pem':"
                " twisted.internet.ssl.PrivateCertificate.loadPEM(octets) reads one",
                {"client_certificate": "cert.pem"},
            ),
            (
                "endpoint must be an endpoint to connect to, not 'tcp:mx:25': such as...",
                {"endpoint": "tcp:mx:25"},
            ),
        ):
            with self.subTest(values=values):
                self.refused(line, ServerAddress, **values)

    def test_secrets_are_not_shown(self) -> None:
        for given in ("secret", ("a", "secret"), {"a": "secret"}):
            error = self.assertRaises(TypeError, ServerAddress, credentials=given)
            self.assertNotIn("secret", str(error))


class CredentialsTests(ClientArgumentTestCase):
    def test_wrong_values(self) -> None:
        self.refused("username must be a str, not NoneType", Password, None, "secret")
        self.refused("password must be a str, not bytes", Password, "alice", b"secret")
        self.refused("authzid must be a str, not int", Password, "alice", "secret", 3)
        self.refused("password must be a str that is not empty, not ''", Password, "alice", "")
        self.refused("password has a character that cannot be sent", Password, "alice", "sec\0ret")
        self.refused("token must be a str, not bytes", Token, "alice", b"secret")
        self.refused("token must be printable ASCII without spaces", Token, "alice", "")
        self.refused("authzid must be a str, not NoneType", Certificate, None)


class SMTPClientTests(ClientArgumentTestCase):
    def test_construction(self) -> None:
        self.refused(f"clock {CLOCK}'mx.example'", SMTPClient, "mx.example")
        self.refused(f"clock {CLOCK}None", SMTPClient, None)
        for line, named in (
            ("timeouts must be an SMTPTimeouts or None, not 30: write SMTPTimeouts(...)", {"timeouts": 30}),
            ("limits must be a ReplyLimits or None, not SMTPLimits(...", {"limits": SMTPLimits()}),
            ("pipelining must be True or False, not None", {"pipelining": None}),
            ("is_remote must be True or False, not 'no'", {"is_remote": "no"}),
            ("hostname must be a str, not b'x'", {"hostname": b"x"}),
            (f"{NAME}'a\\r\\nb'", {"hostname": "a\r\nb"}),
        ):
            with self.subTest(named=named):
                self.refused(line, SMTPClient, REACTOR, **named)

    def test_connecting(self) -> None:
        such = ": such as twisted.internet.endpoints.clientFromString(reactor, 'tcp:mail.example.org:25')"
        takes = "endpoint must be an endpoint to connect to, not "
        self.refused_in_time(f"{takes}'mx.example'{such}", SMTPClient.connect, REACTOR, "mx.example")
        self.refused_in_time(
            f"{takes}('mx.example', 25){such}", SMTPClient.connect, REACTOR, ("mx.example", 25)
        )
        with socket.socket() as connection:
            self.refused_in_time(f"{takes}<socket.socket...", SMTPClient.connect, REACTOR, connection)
        endpoint = clientFromString(REACTOR, "tcp:mx.example:25")
        self.refused_in_time(
            f"reactor {CLOCK}an object of the class TCP4ClientEndpoint...",
            SMTPClient.connect,
            endpoint,
            REACTOR,
        )

    def test_opening(self) -> None:
        line = "server must be a ServerAddress, not 'mx.example': write ServerAddress('mx.example')"
        self.refused_in_time(line, SMTPClient.open, REACTOR, "mx.example")
        self.refused_in_time("server must be a ServerAddress, not None", SMTPClient.open, REACTOR, None)
        line = f"reactor {CLOCK}ServerAddress(host='mx.example', port=None, tls='required', cred..."
        self.refused_in_time(line, SMTPClient.open, ServerAddress("mx.example"), REACTOR)
        line = "timeouts must be an SMTPTimeouts or None, not 5: write SMTPTimeouts(...)"
        self.refused_in_time(line, SMTPClient.open, REACTOR, ServerAddress("mx.example"), timeouts=5)

    def test_tls(self) -> None:
        client = SMTPClient(REACTOR)
        write = ": write mailproto.tls.client_tls('mail.example.org')"
        takes = "tls must be a TLS context, not "
        self.refused(f"{takes}None{write}", client.starttls, None)
        self.refused(f"{takes}True{write}", client.starttls, True)
        self.refused(
            f"{takes}an object of the class SSLContext{write}", client.starttls, ssl.create_default_context()
        )

    def test_steps(self) -> None:
        client = SMTPClient(REACTOR)
        address = "an address must be an Address or a str such as 'a@mail.example', not "
        self.refused(f"{address}None", client.mail, None)
        self.refused("parameters must be a mapping, not ['SIZE=5']", client.mail, "a@b", ["SIZE=5"])
        self.refused(f"{address}['b@c']", client.rcpt, ["b@c"])
        self.refused("SIZE of parameters must be a str or None, not 5", client.rcpt, "b@c", {"SIZE": 5})
        self.refused("content must be octets: write text.encode()", client.data, "text")

    def test_sending(self) -> None:
        client = SMTPClient(REACTOR)
        sender, to = "a@x.example", ["b@y.example"]
        address = "an address must be an Address or a str such as 'a@mail.example', not "
        for line, arguments in (
            (f"{address}None", (None, to, b"")),
            (f"{address}b'a@x.example'", (b"a@x.example", to, b"")),
            ("an address must be one such as 'a@mail.example', not 'a'", ("a", to, b"")),
            (
                "recipients must be a list of addresses, not 'b@y.example': write ['b@y.example']",
                (sender, to[0], b""),
            ),
            ("recipients must be a list of addresses, not None", (sender, None, b"")),
            (
                "recipients must be a list of addresses, not Address(...",
                (sender, Address("b", "y.example"), b""),
            ),
            ("no recipient", (sender, [], b"")),
            (f"{address}3", (sender, [3], b"")),
            ("content must be octets: write text.encode()", (sender, to, "Subject: x\r\n")),
            ("content must be bytes or a Content, not NoneType", (sender, to, None)),
            ("parameters must be a mapping, not ['BODY=8BITMIME']", (sender, to, b"", ["BODY=8BITMIME"])),
        ):
            with self.subTest(arguments=arguments):
                self.refused(line, client.send, *arguments)


class SendingTests(ClientArgumentTestCase):
    def test_send_mail(self) -> None:
        recipient = Recipient(Address("b", "y.example"))
        message = "message must be an EmailMessage, or a whole message as str or bytes, not "
        for line, arguments, named in (
            (f"reactor {CLOCK}'mx.example'", ("mx.example", MESSAGE, ""), {}),
            ("server must be a ServerAddress or a host's name, not None", (REACTOR, None, MESSAGE), {}),
            (
                "server must be a ServerAddress or a host's name, not ('mx', 25)",
                (REACTOR, ("mx", 25), MESSAGE),
                {},
            ),
            (f"{HOST}'mx.example:25': it is no IP address...", (REACTOR, "mx.example:25", MESSAGE), {}),
            (f"{message}None", (REACTOR, "mx.example", None), {}),
            (f"{message}a dict", (REACTOR, "mx.example", {"to": "b"}), {}),
            (f"{message}PosixPath('m.eml')", (REACTOR, "mx.example", Path("m.eml")), {}),
            (
                f"{message}<Content: 0 octets>: write bytes(content)",
                (REACTOR, "mx.example", Content(b"")),
                {},
            ),
            (
                "an address must be an Address or a str such as 'a@mail.example', not 5",
                (REACTOR, "mx", MESSAGE),
                {"sender": 5},
            ),
            (
                "recipients must be an address or a list of addresses, not 5",
                (REACTOR, "mx", MESSAGE),
                {"recipients": 5},
            ),
            ("lmtp must be True or False, not 'yes'", (REACTOR, "mx", MESSAGE), {"lmtp": "yes"}),
            (
                "timeouts must be an SMTPTimeouts or None, not 5: write...",
                (REACTOR, "mx", MESSAGE),
                {"timeouts": 5},
            ),
            (
                "parameters must be a mapping, not 'x'",
                (REACTOR, "mx", MESSAGE),
                {"parameters": "x", "recipients": recipient},
            ),
        ):
            with self.subTest(line=line):
                self.refused_in_time(line, send_mail, *arguments, **named)

    def test_senders(self) -> None:
        for line, named in (
            ("connections must be a whole number of at least 1, not '5'", {"connections": "5"}),
            ("connections must be a whole number of at least 1, not 0", {"connections": 0}),
            ("messages must be a whole number of at least 1, not 1.5", {"messages": 1.5}),
            ("idle must be a number of seconds of at least 0, not nan", {"idle": float("nan")}),
            ("wait must be a number of seconds of at least 0, not None", {"wait": None}),
            ("lmtp must be True or False, not 1", {"lmtp": 1}),
            (
                "timeouts must be an SMTPTimeouts or None, not the class SMTPTimeouts...",
                {"timeouts": SMTPTimeouts},
            ),
        ):
            with self.subTest(named=named):
                self.refused(line, SMTPSender, REACTOR, "mx.example", **named)
        self.refused(f"reactor {CLOCK}'mx.example'", SMTPSender, "mx.example", REACTOR)
        self.refused("server must be a ServerAddress or a host's name, not 25", SMTPSender, REACTOR, 25)

    def test_pools(self) -> None:
        def opening() -> Any:
            raise AssertionError("not called")

        self.refused(f"clock {CLOCK}None", ClientPool, None, opening, "mx")
        self.refused(
            "open_client must be a function that opens a client, not None", ClientPool, REACTOR, None, "mx"
        )
        pool: ClientPool[Any] = ClientPool(REACTOR, opening, "mx")
        self.refused("work must be a function of a client, not None", pool.run, None)
        self.refused("work must be a function of a client, not the function...", pool.run, lambda: None)
        self.refused("wait must be a number of seconds of at least 0, not None", pool.run, print, wait=None)
        self.refused("name must be the server's name, a str, not None", ClientPool, REACTOR, opening, None)
        self.refused(
            "at_once must be a whole number of at least 1, not 0",
            ClientPool,
            REACTOR,
            opening,
            "mx",
            at_once=0,
        )
        self.refused(
            "jobs must be a whole number of at least 1, not '9'", ClientPool, REACTOR, opening, "mx", jobs="9"
        )
