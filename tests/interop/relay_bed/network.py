"""The addresses of the private hosts, and what the DNS says of their domains."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from twisted.internet.defer import maybeDeferred
from twisted.names import dns

from mailproto.content import Content
from mailproto.delivery import FunctionDelivery
from mailproto.model import Envelope
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits
from mailproto.tls import server_tls
from tests.interop.daemons import postfix_on
from tests.interop.dns_server import TLSA, serve_dns
from tests.interop.policy_host import policy_text, serve_policies
from tests.interop.relay_bed.hosts import (
    BrokenTLS,
    Dropping,
    Greylisting,
    Host,
    HostFactory,
    OtherName,
    Record,
    Refusing,
    Slow,
    Tired,
    Trusted,
)
from tests.interop.sink import own_address, unused_port
from tests.tls.certificates import Pair, make_certificate, write_pair
from tests.tls.test_dane import record as tlsa_record

__all__ = ["BOUNCES", "KINDS", "WAITS", "ZONE", "Network"]

ZONE = "bed.example"

KINDS = (
    "own", "limitedown", "plain", "postfix", "strictpostfix", "slow", "greylisting", "tired", "dropping",
    "brokentls", "othername", "backup", "dane", "sts", "refusing", "dead", "daneother", "stsother", "null",
    "unknown",
)  # fmt: skip
"""Kinds of domains; their hosts are made in `Network.start`."""

BOUNCES = frozenset({"dead", "daneother", "stsother", "null", "unknown"})
"""Kinds of domains from which every message comes back."""

WAITS = frozenset({"dead", "daneother", "stsother"})
"""Those of them whose messages wait until their time is over."""

_STS = ("sts", "stsother")
_MX = {"backup": ("dead", "plain"), "sts": ("stshost",), "stsother": ("othername",)}
"""The hosts of a kind's domains, the best one first, if they are not one host of the kind's name."""


_STRICT = """
smtpd_tls_security_level = encrypt
smtpd_client_connection_count_limit = 2
smtpd_client_event_limit_exceptions =
smtpd_hard_error_limit = 1
"""
"""A Postfix that takes nothing without TLS, and only a few connections at a time."""


@dataclass
class Network:
    """Listens on addresses in 127.0.0.0/8, all on one port.

    :param domains: how many of them there are, of all kinds in turns.
    :ivar kinds: of the domains.
    :ivar authority: the file of the authority that hosts with policies trust.
    """

    reactor: Any
    record: Record
    domains: int
    kinds: list[str] = field(default_factory=lambda: list(KINDS))
    port: int = 0
    dns_port: int = 0
    authority: str = ""
    _ends: list[Callable[[], Any]] = field(default_factory=list)

    def start(self) -> None:
        """Listen everywhere."""
        self.port, self.dns_port = unused_port(), unused_port()
        folder = Path(tempfile.mkdtemp(prefix="mailproto-test-"))
        ca = make_certificate(name="authority of the bed")
        self.authority = str(write_pair(folder, "ca", ca)[0])
        own = self._certificate(ca, f"dane.{ZONE}", f"own.{ZONE}")
        trusted = self._certificate(ca, f"stshost.{ZONE}")
        other = self._certificate(ca, "other.example")
        addresses = {"dead": own_address(2)}  # where nothing listens
        tls = server_tls(*write_pair(folder, "own", own))
        hosts: dict[str, tuple[type[Host], Any]] = {
            "plain": (Host, None),
            "slow": (Slow, None),
            "greylisting": (Greylisting, None),
            "tired": (Tired, None),
            "dropping": (Dropping, None),
            "brokentls": (BrokenTLS, tls),
            "othername": (OtherName, server_tls(*write_pair(folder, "other", other))),
            "dane": (Trusted, tls),
            "daneother": (Trusted, tls),
            "stshost": (Trusted, server_tls(*write_pair(folder, "trusted", trusted))),
            "refusing": (Refusing, None),
        }
        for name, (kind, context) in hosts.items():
            addresses[name] = self._listen(
                HostFactory(kind, self.record, self.reactor, context), len(addresses)
            )
        addresses["own"] = self._listen(self._own_server(tls), len(addresses))
        addresses["limitedown"] = self._listen(self._own_server(tls, transactions=3), len(addresses))
        self._start_postfix(addresses)
        self._start_web(ca, folder, addresses)
        self._start_dns(addresses, own)

    @staticmethod
    def _certificate(ca: Pair, *names: str) -> Pair:
        return make_certificate(names=[x509.DNSName(name) for name in names], issuer=ca)

    def _listen(self, factory: Any, number: int) -> str:
        address = own_address(number + 10)
        port = self.reactor.listenTCP(self.port, factory, backlog=1000, interface=address)
        self._ends.append(port.stopListening)
        return address

    def _own_server(self, tls: Any, transactions: int = 1000) -> SMTPServerFactory:
        def take(envelope: Envelope, content: Content) -> None:
            self.record.in_tls["own"] += envelope.session.tls is not None
            self.record.arrived(bytes(content), [str(each.address) for each in envelope.recipients])

        factory = SMTPServerFactory(
            FunctionDelivery(take),
            clock=self.reactor,
            hostname=f"own.{ZONE}",
            tls=tls,
            limits=SMTPLimits(transactions=transactions),
        )
        self._ends.append(factory.shut_down)
        return factory

    def _start_postfix(self, addresses: dict[str, str]) -> None:
        """They bring what they get to a host that never fails."""
        for number, (name, more) in enumerate({"postfix": "", "strictpostfix": _STRICT}.items()):
            addresses[name] = address = own_address(3 + number)
            daemon = postfix_on(address, self.port, addresses["plain"], more)
            self._ends.append(daemon.stop)

    def _start_web(self, ca: Pair, folder: Path, addresses: dict[str, str]) -> None:
        names = [f"mta-sts.{domain}" for domain in self.names() if domain.startswith(_STS)]
        pair = self._certificate(ca, *names) if names else ca
        tls = server_tls(*write_pair(folder, "web", pair))
        policies = {
            domain: policy_text("enforce", f"{_MX[domain.partition('-')[0]][0]}.{ZONE}")
            for domain in self.names()
            if domain.startswith(_STS)
        }
        addresses["web"] = own_address(1)
        _, end = serve_policies(self.reactor, addresses["web"], tls, policies)
        self._ends.append(end)

    def _start_dns(self, addresses: dict[str, str], dane: Pair) -> None:
        records: dict[str, list[Any]] = {
            f"{name}.{ZONE}": [dns.Record_A(address, ttl=600)] for name, address in addresses.items()
        }
        tlsa = f"_{self.port}._tcp"
        records[f"{tlsa}.dane.{ZONE}"] = [TLSA(tlsa_record(dane, 3))]
        records[f"{tlsa}.daneother.{ZONE}"] = [TLSA(tlsa_record(make_certificate(), 3))]
        for domain in self.names():
            kind = domain.partition("-")[0]
            if kind == "null":
                records[domain] = [dns.Record_MX(0, "", ttl=600)]
            elif kind != "unknown":
                hosts = _MX.get(kind, (kind,))
                records[domain] = [
                    dns.Record_MX(10 + 10 * at, f"{host}.{ZONE}", ttl=600) for at, host in enumerate(hosts)
                ]
            if kind in _STS:
                records[f"_mta-sts.{domain}"] = [dns.Record_TXT(b"v=STSv1; id=1;", ttl=600)]
                records[f"mta-sts.{domain}"] = [dns.Record_A(addresses["web"], ttl=600)]
        _, ends = serve_dns(self.reactor, ZONE, records, port=self.dns_port)
        self._ends += ends

    def names(self) -> Sequence[str]:
        """The domains: ``KIND-NUMBER.bed.example``."""
        return [f"{self.kinds[n % len(self.kinds)]}-{n}.{ZONE}" for n in range(self.domains)]

    async def stop(self) -> None:
        """Listen nowhere."""
        for end in reversed(self._ends):
            await maybeDeferred(end)
