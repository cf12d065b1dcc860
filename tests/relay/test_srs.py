"""SRS: reverse-paths of ours, and back."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from mailproto.errors import RecipientUnknown
from mailproto.model import NULL_PATH, Address
from mailproto.relay._srs import MAX_AGE, MAX_LOCAL_PART, SRS
from mailproto.smtp.wire import SMTPWireLimits, render_path
from mailproto.smtp.wire._grammar import parse_path

SECRET = b"sixteen octets and more"
DAY = 86_400.0
NOW = 1_700_000_000.0
SENDERS = (
    "alice@remote.example",
    "Alice.Smith+tag@Remote.Example",
    "a=b=c@remote.example",
    "SRS@remote.example",
    "srs0x@remote.example",
    "bounce-1234-bob=example.org@lists.remote.example",
    "j\N{LATIN SMALL LETTER U WITH DIAERESIS}rgen@b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example",
    '"a b"@remote.example',
    '"@"@remote.example',
    "alice@[192.0.2.1]",
)


def address(text: str) -> Address:
    return Address.parse(text)


class SRSTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = NOW
        self.srs = self.make("example.org")

    def make(self, domain: str, secret: bytes = SECRET) -> SRS:
        return SRS(domain, secret, clock=lambda: self.now)

    def unknown(self, path: Address) -> str:
        return self.assertRaises(RecipientUnknown, self.srs.restore, path).text

    def test_there_and_back(self) -> None:
        for text in SENDERS:
            rewritten = self.srs.rewrite(address(text))
            self.assertRegex(str(rewritten), r'\A"?SRS0=.{4}=[A-Z2-7]{2}=.*@example\.org\Z')
            self.assertEqual(self.srs.restore(rewritten), address(text))

    def test_several_domains(self) -> None:
        self.srs = SRS("example.org", SECRET, domains=["example.org", "Bücher.example"], clock=lambda: NOW)
        sender = address("alice@remote.example")
        for alias_domain, domain in (
            ("example.org", "example.org"),
            ("xn--bcher-kva.example", "Bücher.example"),
            ("other.example", "example.org"),
            ("", "example.org"),
        ):
            rewritten = self.srs.rewrite(sender, alias_domain)
            self.assertEqual(rewritten.domain, domain)
            self.assertEqual(self.srs.restore(rewritten), sender)
        bob = address("bob@bücher.example")
        self.assertIs(self.srs.rewrite(bob, "example.org"), bob)
        self.assertIsNone(self.srs.restore(rewritten.__class__(rewritten.local, "other.example")))
        with self.assertRaisesRegex(ValueError, "each of domains must be a domain"):
            SRS("example.org", SECRET, domains=["a..b"])
        with self.assertRaisesRegex(TypeError, "domains must be"):
            SRS("example.org", SECRET, domains="example.org")

    def test_what_is_not_rewritten(self) -> None:
        long = Address("x" * MAX_LOCAL_PART, "remote.example")
        for path in (NULL_PATH, Address("Postmaster", ""), address("bob@EXAMPLE.org"), long):
            self.assertIs(self.srs.rewrite(path), path)

    def test_the_longest(self) -> None:
        room = MAX_LOCAL_PART - len("SRS0=HHHH=TT=remote.example=")
        for count, length in ((room, MAX_LOCAL_PART), (room + 1, room + 1)):
            self.assertEqual(len(self.srs.rewrite(Address("x" * count, "remote.example")).local), length)

    def test_the_server_takes_them_back(self) -> None:
        """In a command, quoted where necessary; so do clients that send with them."""
        for text in (*SENDERS, f"{'x' * 90}@remote.example"):
            made = self.srs.rewrite(address(text) if len(text) < 90 else Address("x" * 90, "remote.example"))
            self.assertEqual(parse_path(f"<{made}>", SMTPWireLimits(), "5.1.3"), (made, ""))
            self.assertEqual(render_path("MAIL FROM", made, {}), f"MAIL FROM:<{made}>\r\n".encode())

    def test_the_longest_domain(self) -> None:
        domain = ".".join(["d" * 60] * 3)
        srs = self.make(domain)
        for count, is_made in ((254 - 1 - len(domain) - 28, True), (254 - len(domain) - 28, False)):
            path = Address("x" * count, "remote.example")
            self.assertEqual(srs.rewrite(path) is not path, is_made)

    def test_what_is_not_ours(self) -> None:
        made = self.srs.rewrite(address(SENDERS[0]))
        for path in (Address(made.local, "other.example"), address("alice@example.org"), NULL_PATH):
            self.assertIsNone(self.srs.restore(path))
        for local in ("SRSx", "srs2=aaaa=AA=a.example=b", "SRS0", "xSRS0=aaaa=AA=a.example=b"):
            self.assertIsNone(self.srs.restore(Address(local, "example.org")))

    def test_a_domain_in_another_spelling_and_other_cases_of_letters(self) -> None:
        made = self.srs.rewrite(address("alice@remote.example"))
        for local in (made.local, made.local.lower(), made.local.upper()):
            restored = self.srs.restore(Address(local, "EXAMPLE.org"))
            assert restored is not None
            self.assertEqual(str(restored).lower(), "alice@remote.example")

    def test_what_was_not_made_here(self) -> None:
        made = self.srs.rewrite(address("alice@remote.example")).local
        forged = [
            made.replace("alice", "victim"),
            made.replace("remote", "victim"),
            "SRS0=AAAA=AA=victim.example=bob",
            "SRS1=AAAA=victim.example==HHHH=TT=a.example=bob",
            "SRS0=",
            "SRS0===",
            "SRS0=AAAA=A1=a.example=bob",
            "SRS0=\N{LATIN SMALL LETTER DOTLESS I}AAA=AA=a.example=bob",
            "SRS1=AAAA=victim.example",
            self.make("example.org", b"another secret of ours").rewrite(address("a@b.example")).local,
        ]
        for local in forged:
            self.unknown(Address(local, "example.org"))

    def test_age(self) -> None:
        made = self.srs.rewrite(address("alice@remote.example"))
        for days, is_known in ((-1, True), (-2, False), (MAX_AGE, True), (MAX_AGE + 1, False), (1000, False)):
            self.now = NOW + days * DAY
            if is_known:
                self.assertEqual(self.srs.restore(made), address("alice@remote.example"))
            else:
                self.assertEqual(self.unknown(made), "This return address is too old")

    def test_over_several_servers(self) -> None:
        first, second, third = self.make("one.example"), self.srs, self.make("three.example", b"3" * 16)
        one = first.rewrite(address("alice@remote.example"))
        two = second.rewrite(one)
        three = third.rewrite(two)
        self.assertRegex(two.local, r"\ASRS1=.{4}=one\.example==.{4}=[A-Z2-7]{2}=remote\.example=alice\Z")
        self.assertRegex(three.local, r"\ASRS1=.{4}=one\.example==.{4}=[A-Z2-7]{2}=remote\.example=alice\Z")
        self.assertEqual(third.restore(three), one)
        self.assertEqual(second.restore(two), one)
        self.assertEqual(first.restore(one), address("alice@remote.example"))

    def test_arguments(self) -> None:
        for error, arguments, words in (
            (ValueError, ("a b", SECRET), "domain must be"),
            (TypeError, ("example.org", "text" * 8), "secret must be bytes, not str"),
            (ValueError, ("example.org", b"short"), "at least 16 octets"),
        ):
            with self.assertRaisesRegex(error, words):
                SRS(*arguments)
        for age in (0, 1001):
            with self.assertRaisesRegex(ValueError, "max_age"):
                SRS("example.org", SECRET, max_age=age)


class OracleTests(SynchronousTestCase):
    """srslib makes the same addresses, and takes ours back."""

    def oracle(self, now: float) -> Any:
        try:
            import srslib
        except ImportError:
            raise SkipTest("needs srslib") from None
        oracle = srslib.SRS(SECRET)
        oracle._time_fn = lambda: now
        return oracle

    def test_the_same_addresses(self) -> None:
        for days in (0, 1, 500, 1023):
            now = NOW + days * DAY
            oracle = self.oracle(now)
            for domain in ("example.org", "second.example"):
                srs = SRS(domain, SECRET, clock=lambda now=now: now)  # type: ignore[misc]
                for text in ("alice@remote.example", "A+b=c@Remote.Example", "SRS0=x=y=z=w@one.example"):
                    ours = str(srs.rewrite(address(text)))
                    self.assertEqual(ours, oracle.forward(text, domain))
                    self.assertEqual(oracle.reverse(ours), text)
                    theirs = oracle.forward(text, domain)
                    self.assertEqual(str(srs.restore(address(theirs))), text)
