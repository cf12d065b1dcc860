"""Reports, services and the tools for tests refuse what they cannot work with, in one line."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import Password
from mailproto.backends import SimpleAccount, SimpleMailbox, SingleStore, SQLiteStore, open_store
from mailproto.client import ServerAddress
from mailproto.delivery import bounce
from mailproto.errors import RecipientUnknown
from mailproto.listening import Listener, is_on_loopback
from mailproto.message import encode_header
from mailproto.model import Outcome, ServiceExtensions
from mailproto.observing import Observer
from mailproto.service import MailService, Settings, makeService
from mailproto.smtp import SMTPClient, SMTPServerFactory
from mailproto.testing import (
    Dialogue,
    RecordingDelivery,
    connected,
    make_envelope,
    running_server,
    wait_for_message,
)
from mailproto.tls import client_tls, ensure_self_signed
from tests.arguments import assert_refused

DONE = Outcome(250, "2.0.0", "done")


class ToolTestCase(SynchronousTestCase):
    def refused(self, line: str, call: Any, /, *arguments: Any, **named: Any) -> None:
        assert_refused(self, line, call, *arguments, **named)


class ReportTests(ToolTestCase):
    def test_bounce(self) -> None:
        envelope = make_envelope("a@x.example", ["b@y.example"])
        takes = "outcomes must be a list of an Outcome for each recipient, not "
        for line, arguments, named in (
            ("envelope must be an Envelope, not None", (None, [DONE]), {}),
            ("envelope must be an Envelope, not [Outcome(...", ([DONE], envelope), {}),
            (f"{takes}None", (envelope, None), {}),
            (f"{takes}Outcome(...", (envelope, DONE), {}),
            (f"{takes}'550'", (envelope, "550"), {}),
            ("each of outcomes must be an Outcome, not None", (envelope, [None]), {}),
            ("outcomes must be as many as the recipients, 1, not 2", (envelope, [DONE, DONE]), {}),
            ("outcomes must be as many as the recipients, 1, not 0", (envelope, []), {}),
            ("content must be octets: write text.encode()", (envelope, [DONE], "text"), {}),
            ("hostname must be a str of one line, not None", (envelope, [DONE]), {"hostname": None}),
            (
                "hostname must be a str of one line, not 'a\\r\\nb'",
                (envelope, [DONE]),
                {"hostname": "a\r\nb"},
            ),
            (
                "clock must be a function that gives seconds, such as time.time, not an object"
                " of the class Clock",
                (envelope, [DONE]),
                {"clock": Clock()},
            ),
        ):
            self.refused(line, bounce, *arguments, **named)


class ServiceTests(ToolTestCase):
    def test_what_is_no_settings(self) -> None:
        hint = "write mailproto.service.Settings(...)"
        self.refused(f"settings must be a Settings, not None: {hint}", MailService, None, Clock())
        self.refused(f"settings must be a Settings, not a dict: {hint}", MailService, {}, Clock())
        settings, reactor = Settings(), MemoryReactorClock()
        self.refused("reactor must be the reactor, or...", MailService, settings, None)
        self.refused("reporter must be a Reporter or None, not 0", MailService, settings, reactor, reporter=0)
        self.refused("hangup must be True or False, not None", MailService, settings, reactor, hangup=None)
        takes = "options must be a Settings, or the Options of a command line, not "
        self.refused(f"{takes}None", makeService, None)
        self.refused(f"{takes}the class Settings", makeService, Settings)

    def test_listeners(self) -> None:
        takes = (
            "endpoint must be an endpoint string such as 'tcp:8025:interface=127.0.0.1', or an"
            " IStreamServerEndpoint, not "
        )
        factory = SMTPServerFactory(RecordingDelivery(), clock=Clock())
        for line, wrong in (
            (f"{takes}25: write 'tcp:25'", 25),
            (f"{takes}True", True),
            (f"{takes}None", None),
            (f"{takes}<InterfaceClass...", IStreamServerEndpoint),
        ):
            self.refused(line, Listener, wrong, factory)
        with socket.socket() as listening:
            self.refused("endpoint must be...", Listener, listening, factory)

        class Endpoint:
            """Of a package that declares nothing."""

            def listen(self, factory: object) -> None:
                """Never called."""

        for given in (Endpoint(), Mock()):
            self.assertIs(Listener(given, factory).endpoint, given)
        takes = "endpoint must be an endpoint string such as 'tcp:8025:interface=127.0.0.1', not "
        self.refused(f"{takes}None", is_on_loopback, None)

    def test_paths(self) -> None:
        folder = Path(self.mktemp())
        store = SQLiteStore(folder / "mail", reactor=MemoryReactorClock())
        self.assertEqual(Path(store.path).parent, folder / "mail")
        opened: Any = open_store("sqlite:", folder, MemoryReactorClock())
        self.assertEqual(opened.path, store.path)
        takes = "path must be the path of a folder, or of a file in .sqlite3, not "
        self.refused(f"{takes}''", SQLiteStore, "", reactor=Clock())
        self.refused(f"{takes}b'mail'", SQLiteStore, b"mail", reactor=Clock())
        self.refused("folder must be the path of a folder, not None", ensure_self_signed, None, "mx.example")
        self.refused("hostname must be a str of one line, not None", ensure_self_signed, str(folder), None)

    def test_names_and_files_of_tls(self) -> None:
        takes = "hostname must be a domain name or an IP address, which can be in a certificate, not "
        for wrong in ("", "1 MB", "a\r\nb", "\ud800", "127.1"):
            self.refused(f"{takes}{wrong!r}", client_tls, wrong)
            client_tls(wrong, verify=False)
        self.refused(
            "trust_root must be the path of a PEM file, or None, not ''", client_tls, "a", trust_root=""
        )

    def test_header_fields(self) -> None:
        self.refused("text must be a str, not b'x'", encode_header, b"x")
        self.refused("name must be a str such as 'Subject', not None", encode_header, "x", None)

    def test_single_stores(self) -> None:
        self.refused("name must be a str, not b'a'", SingleStore, b"a", "x", SimpleMailbox())
        takes = "password_hash must be a record of mailproto.auth.hash_password, not "
        self.refused(f"{takes}None", SingleStore, "a", None, SimpleMailbox())
        self.refused("name must be a str, not None", SimpleAccount, None)
        takes = "mailboxes must be a mapping such as {'INBOX': SimpleMailbox()}, or None, not "
        self.refused(f"{takes}['INBOX']", SimpleAccount, "a", ["INBOX"])

    def test_a_priority_policy_is_one_word_of_ehlo(self) -> None:
        for wrong in ("two words", "é", "\ud800"):
            takes = "mt_priority must be a policy's name such as 'MIXER', '' or None, not "
            self.refused(f"{takes}{wrong!r}", ServiceExtensions, mt_priority=wrong)
        for right in ("", "MIXER", "STANAG4406", None):
            self.assertEqual(ServiceExtensions(mt_priority=right).mt_priority, right)

    def test_functions_for_credentials_take_nothing(self) -> None:
        takes = (
            "credentials must be a Password, a Token or a Certificate, or a function that returns one, not "
        )
        line = f"{takes}the function <lambda>: it takes (name)"
        self.refused(line, ServerAddress, "mx.example", credentials=lambda name: Password(name, "x"))
        ServerAddress("mx.example", credentials=Mock())

    def test_observers(self) -> None:
        """A mock that knows its class is one of it; any other is not, because it would be none of ours."""
        observer = Mock(spec=Observer)
        SMTPServerFactory(RecordingDelivery(), clock=Clock(), observer=observer)
        takes = "observer must be an object that provides IObserver, not <Mock..."
        self.refused(takes, SMTPServerFactory, RecordingDelivery(), clock=Clock(), observer=Mock())


class ToolTests(ToolTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.factory = SMTPServerFactory(RecordingDelivery(), clock=self.clock, hostname="mx.example")

    def test_dialogues(self) -> None:
        for line, named in (
            ("factory must be a factory of protocols, not 'smtp'...", {"factory": "smtp"}),
            (
                "factory must be a factory of protocols, not the class SMTPS...",
                {"factory": SMTPServerFactory},
            ),
            ("clock must be a twisted.internet.task.Clock or None, not 0", {"clock": 0}),
            ("role must be 'client' or 'server', not 'C'", {"role": "C"}),
            ("peer must be an IP address such as '127.0.0.1', not None", {"peer": None}),
            ("tls must be True or False, not 'yes'", {"tls": "yes"}),
            ("feed must be 'turns' or 'octets' or 'spare' or 'together', not None", {"feed": None}),
            (
                "actions must be a mapping such as {'name': function}, or None, not [print]",
                {"actions": ["x"]},
            ),
        ):
            self.refused(line.replace("[print]", "['x']"), Dialogue, **named)

    def test_parts_joined_in_memory(self) -> None:
        client = SMTPClient(self.clock)
        takes = "client must be a client such as SMTPClient(clock), a protocol or a factory, not "
        self.refused(f"{takes}None", connected, self.factory, None)
        self.refused("server must be a factory of protocols, not None: such...", connected, None, client)
        self.refused(
            "server must be a factory of protocols, not an object...", connected, client, self.factory
        )
        self.refused("peer must be an IP address such as...", connected, self.factory, client, peer=None)
        takes = "clock must be a twisted.internet.task.Clock in memory, not "
        self.refused(f"{takes}5: write clock=Clock()", connected, self.factory, client, clock=5)

    def test_recording(self) -> None:
        takes = "refuse must be a mapping such as {'a@x.example': RecipientUnknown()}, or None, not "
        self.refused(f"{takes}['a@x.example']", RecordingDelivery, ["a@x.example"])
        takes = "refuse['a@x.example'] must be an exception such as RecipientUnknown(), not "
        self.refused(f"{takes}'550'", RecordingDelivery, {"a@x.example": "550"})
        self.refused(
            f"{takes}the class RecipientUnknown", RecordingDelivery, {"a@x.example": RecipientUnknown}
        )
        takes = "each address of refuse must be a str such as 'a@x.example', not "
        self.refused(f"{takes}b'a'", RecordingDelivery, {b"a": RecipientUnknown()})
        takes = "service_extensions must be a ServiceExtensions, not "
        self.refused(f"{takes}None", RecordingDelivery, service_extensions=None)

    def test_envelopes(self) -> None:
        takes = "recipients must be a list such as ['b@y.example'], "
        for line, recipients in (
            (f"{takes}not 'b@y.example': write ['b@y.example']", "b@y.example"),
            (f"{takes}not b'b@y.example'", b"b@y.example"),
            (f"{takes}not None", None),
            (f"{takes}with at least one, not []", []),
            ("an address must be a str such as 'a@example.org', not None", [None]),
            ("an address must be a str such as 'a@example.org', not 'b': there is no @ in it", ["b"]),
        ):
            self.refused(line, make_envelope, "a@x.example", recipients)

    def test_servers(self) -> None:
        self.refused("servers must be one factory or more, not ()", running_server)
        takes = "each of servers must be a factory, or a function that makes one, not "
        self.refused(f"{takes}'smtp'", running_server, "smtp")
        line = f"{takes}the class SMTPServerFactory: write SMTPServerFactory(...)"
        self.refused(line, running_server, SMTPServerFactory)

    def test_waiting(self) -> None:
        for line, arguments, named in (
            ("where must be a RecordingDelivery or an IMailbox, not None", (None,), {}),
            ("matching must be a function of an EmailMessage, or None, not 'Hello'", (..., "Hello"), {}),
            ("timeout must be a number of seconds of at least 0, not None", (...,), {"timeout": None}),
            ("reactor must be the reactor, or a twisted...", (...,), {"reactor": 5}),
        ):
            given = (RecordingDelivery() if arguments[0] is ... else arguments[0], *arguments[1:])
            failure = self.failureResultOf(Deferred.fromCoroutine(wait_for_message(*given, **named)))
            self.refused(line, failure.raiseException)
