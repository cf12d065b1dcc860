"""The server as users run it, Postfix, unbound, which validates signatures, and policies by HTTPS."""

from __future__ import annotations

import atexit
import re
import shutil
import smtplib
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dns.rdata
import dns.rdatatype
from cryptography import x509
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailproto.relay._tls._https import BODY_LIMIT
from mailproto.tls import server_tls
from tests.interop.daemons import Daemon, plain_zone, postfix_with_chain, signed_zone, unbound
from tests.interop.policy_host import policy_text, serve_policies
from tests.interop.server import HOST, PATIENCE, Server, message, new_folder
from tests.interop.sink import Sink, own_address, reactor, unused_port
from tests.tls.certificates import make_certificate, write_pair
from tests.tls.test_dane import record as tlsa_record

WEB = own_address(201)
"""Where policies are: their port is always 443."""

_SIGNED = """
ee MX 10 mx-ee
mx-ee A {host}
_{port}._tcp.mx-ee TLSA {ee}
ta MX 10 mx-ta
mx-ta A {host}
_{port}._tcp.mx-ta TLSA {ta}
othername MX 10 mx-othername
mx-othername A {host}
_{port}._tcp.mx-othername TLSA {ta}
wrong MX 10 mx-wrong
mx-wrong A {host}
_{port}._tcp.mx-wrong TLSA {wrong}
second MX 10 mx-wrong
second MX 20 mx-ee
none MX 10 mx-none
mx-none A {host}
null MX 0 .
"""

_FORGED = """
mx MX 10 mail
tlsa MX 10 mail
mail A {host}
_{port}._tcp.mail TLSA {ee}
fine MX 10 untouched
untouched A {host}
"""

_PLAIN = """
wrong MX 10 mx-wrong
mx-wrong A {host}
_{port}._tcp.mx-wrong TLSA {wrong}
mx-sts A {host}
mx-bad A {host}
"""

_POLICIES: dict[str, tuple[str, str | None]] = {
    "enforced": ("mx-sts", policy_text("enforce", "mx-sts.plain.example")),
    "pattern": ("mx-sts", policy_text("enforce", "*.plain.example")),
    "unnamed": ("mx-sts", policy_text("enforce", "mx-other.plain.example")),
    "badcertificate": ("mx-bad", policy_text("enforce", "mx-bad.plain.example")),
    "testing": ("mx-bad", policy_text("testing", "mx-other.plain.example")),
    "mode-none": ("mx-bad", policy_text("none")),
    "badweb": ("mx-sts", policy_text("enforce", "mx-other.plain.example")),
    "endless": ("mx-sts", None),
}
"""The server and the policy of a domain below plain.example; the web's certificate is not for badweb."""


class _World(NamedTuple):
    """What the tests share: it takes seconds to start."""

    server: Server
    daemons: Sequence[Daemon]
    folder: Path


def _tlsa(record: tuple[int, int, int, bytes]) -> str:
    return f"{record[0]} {record[1]} {record[2]} {record[3].hex()}"


def _start() -> _World:
    folder = Path(tempfile.mkdtemp(prefix="mailproto-test-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    authority = make_certificate(name="authority")
    names = ("mx-ta.signed.example", "mx-ee.signed.example", "mx-sts.plain.example")
    own = make_certificate(names=[x509.DNSName(name) for name in names], issuer=authority)
    pem, key = write_pair(folder, "own", own)
    trusted, _ = write_pair(folder, "authority", authority)
    with Path(pem).open("ab") as chain:
        chain.write(Path(trusted).read_bytes())
    web_names = [f"mta-sts.{name}.plain.example" for name in _POLICIES if name != "badweb"]
    write_pair(
        folder, "web", make_certificate(names=[x509.DNSName(name) for name in web_names], issuer=authority)
    )
    postfix = postfix_with_chain(str(pem), str(key), unused_port())
    values = {
        "host": HOST,
        "port": str(postfix.port),
        "ee": _tlsa(tlsa_record(own, 3)),
        "ta": _tlsa(tlsa_record(authority, 2, 0)),
        "wrong": _tlsa(tlsa_record(make_certificate(), 3)),
    }
    signed, anchor = signed_zone("signed.example.", _SIGNED.format(**values))
    forged, other_anchor = signed_zone("forged.example.", _FORGED.format(**values))
    # Somebody has changed them, and could not sign.
    for name, kind, text in (
        ("mx", dns.rdatatype.MX, "5 evil"),
        (f"_{postfix.port}._tcp.mail", dns.rdatatype.TLSA, values["wrong"]),
    ):
        records = forged.find_rdataset(name, kind)
        records.clear()
        records.add(dns.rdata.from_text("IN", kind, text, origin=forged.origin))
    plain = _PLAIN.format(**values)
    for name, (host, _) in _POLICIES.items():
        plain += f'{name} MX 10 {host}\n_mta-sts.{name} TXT "v=STSv1; id=1;"\nmta-sts.{name} A {WEB}\n'
    zones = {
        "signed.example.": signed,
        "forged.example.": forged,
        "plain.example.": plain_zone("plain.example.", plain),
    }
    resolver = unbound(zones, [anchor, other_anchor])
    options = ["--relay=mx", f"--mx-port={postfix.port}", f"--relay-from={HOST}", "--retry=1"]
    options += [f"--resolver={HOST}:{resolver.port}"]
    server = Server(new_folder(), (), options, wrapper=("env", f"SSL_CERT_FILE={trusted}"))
    atexit.register(server.kill)
    return _World(server, (postfix, resolver), folder)


class SignedDNSCase(TestCase):
    """Postfix brings on to the sink what it gets."""

    world: _World | None = None
    ends: Sequence[Callable[[], Any]] = ()

    async def setUp(self) -> None:  # type: ignore[override]
        if SignedDNSCase.world is None:
            SignedDNSCase.world = await deferToThread(_start)
        self.server = SignedDNSCase.world.server
        tls = server_tls(*(SignedDNSCase.world.folder / name for name in ("web.pem", "web.key")))
        policies = {f"{name}.plain.example": text for name, (_, text) in _POLICIES.items()}
        self.web, end = serve_policies(reactor, WEB, tls, policies)
        self.addCleanup(lambda: maybeDeferred(end))
        self.sink = Sink(self, tls=None)

    async def send(self, domain: str, *, requires_tls: bool = False) -> str:
        """The line of the log that says what became of a message."""
        _, octets = message()

        def submit() -> None:
            with smtplib.SMTP(HOST, self.server.ports["smtp"], timeout=PATIENCE) as client:
                if requires_tls:
                    client.starttls()
                options = ["REQUIRETLS"] if requires_tls else []
                client.sendmail("bob@none.signed.example", [f"alice@{domain}"], octets, options)

        before = len(self.server.printed())
        await deferToThread(submit)
        pattern = re.compile(
            rf" (?:sent|given-up|delayed) .*<alice@{domain}>.*| unreached destination={domain} .*"
        )
        deadline = time.monotonic() + PATIENCE
        while not (found := pattern.search(self.server.printed()[before:])):
            if time.monotonic() > deadline:
                raise AssertionError(f"nothing became of it:\n{self.server.printed()[-5000:]}")
            await deferLater(reactor, 0.02)
        return found[0]

    async def arrives(self, domain: str) -> None:
        line = await self.send(domain)
        self.assertRegex(line, "^ sent .*tls=TLSv1.3")
        while not str((arrival := await self.sink.arrival()).envelope.sender):
            pass  # reports about others
        self.assertEqual([str(each.address) for each in arrival.envelope.recipients], [f"alice@{domain}"])

    async def stays(self, domain: str, why: str, kind: str = "unreached") -> None:
        line = await self.send(domain)
        self.assertRegex(line, f"^ {kind} .*{why}")
        self.assertNotRegex(self.server.printed(), f" sent .*<alice@{domain}>")


class DANETests(SignedDNSCase):
    async def test_the_key_of_the_server(self) -> None:
        await self.arrives("ee.signed.example")

    async def test_the_authority(self) -> None:
        await self.arrives("ta.signed.example")

    async def test_the_authority_but_for_another_name(self) -> None:
        await self.stays("othername.signed.example", "451 4.7.5 .*TLS failed")

    async def test_another_key(self) -> None:
        await self.stays("wrong.signed.example", "451 4.7.5 .*TLS failed")

    async def test_the_next_server_may_have_the_right_one(self) -> None:
        await self.arrives("second.signed.example")

    async def test_it_is_proved_that_there_are_no_records(self) -> None:
        """So nothing is demanded."""
        await self.arrives("none.signed.example")

    async def test_forged_addresses_of_servers(self) -> None:
        await self.arrives("fine.forged.example")
        await self.stays("mx.forged.example", "451 4.4.3")

    async def test_forged_keys(self) -> None:
        await self.stays("tlsa.forged.example", "451 4.4.3")

    async def test_records_without_signatures_do_not_count(self) -> None:
        await self.arrives("wrong.plain.example")

    async def test_a_domain_that_takes_no_mail(self) -> None:
        await self.stays("null.signed.example", "556 5.1.10", "given-up")


class RequireTLSTests(SignedDNSCase):
    """Postfix does not offer REQUIRETLS, and nobody vouches for a name in an unsigned zone."""

    async def test_nothing_leaves(self) -> None:
        for domain, reply in {
            "ee.signed.example": "550 5.7.30 .*does not offer REQUIRETLS",
            "none.signed.example": "550 5.7.10 .*The certificate is not good for mx-none",
            "wrong.plain.example": "550 5.7.10 .*nothing vouches for the name",
        }.items():
            line = await self.send(domain, requires_tls=True)
            self.assertRegex(line, reply)
            self.assertNotIn(" sent ", line)


class MTASTSTests(SignedDNSCase):
    async def test_enforced(self) -> None:
        await self.arrives("enforced.plain.example")
        await self.arrives("pattern.plain.example")

    async def test_a_server_that_the_policy_does_not_name(self) -> None:
        await self.stays("unnamed.plain.example", "451 4.7.5 .*is no server that the policy of unnamed.plain")

    async def test_a_certificate_for_another_name(self) -> None:
        await self.stays("badcertificate.plain.example", "451 4.7.5 .*is not good for mx-bad.plain.example")

    async def test_only_tested(self) -> None:
        await self.arrives("testing.plain.example")
        await self.arrives("mode-none.plain.example")

    async def test_a_host_of_policies_that_is_not_who_it_says(self) -> None:
        """As if there were no policy (RFC 8461 3.3): who can forge its certificate could say anything."""
        await self.arrives("badweb.plain.example")

    async def test_a_policy_that_never_ends(self) -> None:
        await self.arrives("endless.plain.example")
        self.assertGreater(self.web.streamed, BODY_LIMIT)
        self.assertLess(self.web.streamed, 8 << 20)  # the rest is in buffers of the system
