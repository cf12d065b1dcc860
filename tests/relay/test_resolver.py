"""What asks the DNS, and what it makes of answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from twisted.trial.unittest import SynchronousTestCase

from mailproto.relay._dns import DNSFailure, Kind, MXRecord, TLSARecord, _asking, _system
from mailproto.relay._dns._asking import LONG_ANSWER
from mailproto.relay._dns._cache import Cache
from mailproto.relay._dns._messages import RECORDS_LIMIT, TEXT_LIMIT, UDP_SIZE
from mailproto.relay._dns._resolver import CNAMES_LIMIT, QUERIES_LIMIT, TIMEOUTS
from mailproto.relay._tls._dane import _is_usable
from mailproto.relay.servers import DNSResolver
from tests.relay.dns_network import Network, Server, answering, by_kind, silent

NS = "192.0.2.53"
OTHER = "192.0.2.54"
LOCAL = "127.0.0.1"


class Case(SynchronousTestCase):
    def network(self, server: Server, second: Server | None = None) -> Network:
        self.net = self.patched({NS: server, OTHER: second or answering(), LOCAL: server})
        servers = [(NS, 53)] if second is None else [(NS, 53), (OTHER, 53)]
        self.resolver = DNSResolver(self.net, servers, hosts="/dev/null")
        return self.net

    def patched(self, servers: dict[str, Server]) -> Network:
        network = Network(servers)
        self.patch(_asking, "Datagrams", network.datagrams)
        return network

    def settled(self, asking: Any) -> Any:
        """What is there already has come."""
        for _ in range(10):
            self.net.advance(0)
        return asking

    def ask(self, name: str = "example.org", kind: Kind = "A") -> Any:
        return self.successResultOf(self.settled(self.resolver.look_up(name, kind)))

    def fail_to_ask(self, name: str = "example.org", kind: Kind = "A") -> str:
        failure = self.failureResultOf(self.settled(self.resolver.look_up(name, kind)), DNSFailure)
        self.assertEqual((failure.value.code, failure.value.enhanced), (451, "4.4.3"))
        return failure.value.detail

    def tearDown(self) -> None:
        self.assertEqual(self.net.open, 0)


class AnswerTests(Case):
    def test_each_kind(self) -> None:
        a, b = "AB" * 32, "CD" * 32
        self.network(
            answering(
                "example.org. 300 IN A 192.0.2.1",
                "example.org. 300 IN A 192.0.2.2",
                "example.org. 300 IN AAAA 2001:DB8::1",
                "example.org. 300 IN MX 20 B.Example.",
                "example.org. 300 IN MX 10 a.example.",
                'example.org. 300 IN TXT "v=STSv1; " "id=1;"',
                f"example.org. 300 IN TLSA 3 1 1 {a}",
                f"example.org. 300 IN TLSA 2 0 0 {b}",
            )
        )
        expected: dict[Kind, tuple[Any, ...]] = {
            "A": ("192.0.2.1", "192.0.2.2"),
            "AAAA": ("2001:db8::1",),
            "MX": (MXRecord(10, "a.example"), MXRecord(20, "b.example")),
            "TXT": (b"v=STSv1; id=1;",),
            "TLSA": (TLSARecord(3, 1, 1, bytes.fromhex(a)), TLSARecord(2, 0, 0, bytes.fromhex(b))),
        }
        for kind, records in expected.items():
            answer = self.ask(kind=kind)
            self.assertEqual(sorted(answer.records), sorted(records), kind)
            self.assertEqual((answer.name, answer.exists, answer.ttl), ("example.org", True, 300))

    def test_records_of_a_wrong_length_are_not_lost(self) -> None:
        """That there are some counts for DANE: there must be TLS then."""
        good = bytes([3, 1, 1]) + b"x" * 32

        def with_records(*records: bytes) -> Server:
            def server(query: dns.message.Message) -> Any:
                message = dns.message.make_response(query)
                kind = dns.rdatatype.TLSA
                found = [dns.rdata.GenericRdata(dns.rdataclass.IN, kind, record) for record in records]
                message.answer.append(dns.rrset.from_rdata("example.org.", 300, *found))
                return message

            return server

        for bad in (good[:-1], b"\3\1", b""):
            for records in ((bad,), (bad, good)):
                self.network(with_records(*records))
                found = self.ask(kind="TLSA").records
                self.assertTrue(found)
                self.assertEqual(len(list(filter(_is_usable, found))), len(records) - 1)

    def test_the_root_is_no_host(self) -> None:
        self.network(answering("example.org. 300 IN MX 0 ."))
        self.assertEqual(self.ask(kind="MX").records, (MXRecord(0, ""),))

    def test_a_name_that_no_host_has_is_seen_as_such(self) -> None:
        """A label with a dot in it is not two labels."""
        self.network(
            answering(r"example.org. 300 IN MX 10 a\.b.example.", r"example.org. 300 IN MX 11 a\010b.")
        )
        self.assertEqual([host for _, host in self.ask(kind="MX").records], [r"a\.b.example", r"a\010b"])

    def test_no_such_name(self) -> None:
        soa = "example.org. 900 IN SOA ns.example.org. root.example.org. 1 1 1 1 300"
        self.network(answering(code="NXDOMAIN", authority=soa))
        answer = self.ask("a.example.org")
        self.assertEqual((answer.exists, answer.records, answer.ttl), (False, (), 300))

    def test_no_such_records(self) -> None:
        self.network(answering())
        answer = self.ask()
        self.assertEqual((answer.exists, answer.records, answer.ttl), (True, (), 60))

    def test_times_have_limits(self) -> None:
        soa = "example.org. 900000 IN SOA ns.example.org. root.example.org. 1 1 1 1 900000"
        self.network(by_kind(A=answering("example.org. 2000000 IN A 192.0.2.1"), MX=answering(authority=soa)))
        self.assertEqual(self.ask().ttl, 24 * 60 * 60)
        self.assertEqual(self.ask(kind="MX").ttl, 60 * 60)

    def test_long_texts_are_left_out(self) -> None:
        text = " ".join(['"' + "x" * 250 + '"'] * (10_000 // 250))
        self.network(answering(f"example.org. 300 IN TXT {text}", 'example.org. 300 IN TXT "short"'))
        self.assertGreater(10_000, TEXT_LIMIT)
        self.assertEqual(self.ask(kind="TXT").records, (b"short",))

    def test_of_a_thousand_hosts_the_best_are_kept(self) -> None:
        self.network(
            answering(
                *(f"example.org. 300 IN MX {1000 - number} mx{number}.example." for number in range(1000))
            )
        )
        records = self.ask(kind="MX").records
        self.assertEqual(len(records), RECORDS_LIMIT)
        self.assertEqual(records[:2], (MXRecord(1, "mx999.example"), MXRecord(2, "mx998.example")))


class QuestionTests(Case):
    def test_it_takes_long_answers_and_asks_whether_they_are_authentic(self) -> None:
        seen: list[dns.message.Message] = []

        def server(query: dns.message.Message) -> dns.message.Message:
            seen.append(query)
            return answering()(query)  # type: ignore[return-value]

        self.network(server)
        self.ask()
        [query] = seen
        self.assertEqual((query.edns, query.payload), (0, UDP_SIZE))
        self.assertTrue(query.flags & dns.flags.AD and query.flags & dns.flags.RD)

    def test_a_server_that_is_older_than_that(self) -> None:
        def server(query: dns.message.Message) -> Any:
            code = "NOERROR" if query.edns < 0 else "FORMERR"
            return answering("example.org. 300 IN A 192.0.2.1", code=code)(query)

        self.network(server)
        self.assertEqual(self.ask().records, ("192.0.2.1",))

    def test_any_spelling_of_a_name(self) -> None:
        network = self.network(answering("xn--bcher-kva.example. 300 IN A 192.0.2.1"))
        self.ask("BÜCHER.example.")
        self.ask("xn--bcher-kva.example")
        self.assertEqual(network.questions, [f"{NS} xn--bcher-kva.example A"])

    def test_a_name_that_cannot_be_asked_for(self) -> None:
        self.network(answering())
        for name in ("a" * 64 + ".example", "a..example", ".".join(["a" * 60] * 5)):
            self.assertIn("cannot be asked for", self.fail_to_ask(name))

    def test_servers_by_ipv6(self) -> None:
        self.net = self.patched({"2001:db8::53": answering("example.org. 300 IN A 192.0.2.1")})
        self.resolver = DNSResolver(self.net, [("2001:db8::53", 53)])
        self.assertEqual(self.ask().records, ("192.0.2.1",))


class KeepingTests(Case):
    def test_answers_are_kept_for_their_time(self) -> None:
        network = self.network(answering("example.org. 300 IN A 192.0.2.1"))
        self.ask()
        network.advance(299)
        self.ask()
        self.assertEqual(len(network.questions), 1)
        network.advance(1)
        self.ask()
        self.assertEqual(len(network.questions), 2)

    def test_that_there_is_nothing_is_kept_too(self) -> None:
        network = self.network(answering(code="NXDOMAIN"))
        self.ask()
        self.ask()
        self.assertEqual(len(network.questions), 1)

    def test_failures_are_not_kept(self) -> None:
        network = self.network(answering(code="SERVFAIL"))
        self.fail_to_ask()
        self.fail_to_ask()
        self.assertEqual(len(network.questions), 2)

    def test_one_question_for_all_who_ask_at_the_same_time(self) -> None:
        network = self.network(silent)
        first, second = (self.resolver.look_up("example.org", "A") for _ in range(2))
        third = self.resolver.look_up("example.org", "MX")
        self.assertEqual(network.questions, [f"{NS} example.org A", f"{NS} example.org MX"])
        first.cancel()  # the others go on
        self.failureResultOf(first)
        network.servers[NS] = answering("example.org. 300 IN A 192.0.2.1")
        network.advance(TIMEOUTS[0])
        self.assertEqual(self.successResultOf(second).records, ("192.0.2.1",))
        self.assertEqual(self.successResultOf(third).records, ())

    def test_sockets_have_a_limit(self) -> None:
        network = self.network(silent)
        asked = [self.resolver.look_up(f"{number}.example", "A") for number in range(QUERIES_LIMIT + 20)]
        self.assertEqual(network.open, QUERIES_LIMIT)
        for seconds in TIMEOUTS * 2:
            network.advance(seconds)
        for each in asked:
            self.failureResultOf(each, DNSFailure)
        self.assertEqual(network.at_most, QUERIES_LIMIT)


class CacheTests(SynchronousTestCase):
    def test_what_was_used_long_ago_is_forgotten(self) -> None:
        asked: list[str] = []

        async def ask(key: str) -> tuple[str, float, int]:
            asked.append(key)
            return key.upper(), 60, 40

        cache: Cache[str, str] = Cache(Network({}), ask, limit=100)
        for key in ("a", "b", "a", "c", "a", "b"):
            self.assertEqual(self.successResultOf(cache.get(key)), key.upper())
        self.assertEqual(asked, ["a", "b", "c", "b"])

    def test_what_is_larger_than_all_room_is_not_kept(self) -> None:
        asked: list[str] = []

        async def ask(key: str) -> tuple[str, float, int]:
            asked.append(key)
            return key, 60, 40 if key == "small" else 101

        cache: Cache[str, str] = Cache(Network({}), ask, limit=100)
        for key in ("small", "large", "small", "large"):
            cache.get(key)
        self.assertEqual(asked, ["small", "large", "large"])


class TroubleTests(Case):
    def test_a_silent_server_is_asked_again(self) -> None:
        network = self.network(silent)
        asking = self.resolver.look_up("example.org", "A")
        for number, seconds in enumerate(TIMEOUTS, 1):
            self.assertEqual(len(network.questions), number)
            self.assertNoResult(asking)
            network.advance(seconds)
        error = self.failureResultOf(asking, DNSFailure).value
        self.assertEqual(error.detail, f"example.org A: {NS}: no answer within 6 s")

    def test_the_next_server(self) -> None:
        network = self.network(silent, answering("example.org. 300 IN A 192.0.2.1"))
        asking = self.resolver.look_up("example.org", "A")
        network.advance(TIMEOUTS[0])
        self.assertEqual(self.successResultOf(asking).records, ("192.0.2.1",))
        self.assertEqual(network.questions, [f"{NS} example.org A", f"{OTHER} example.org A"])

    def test_only_who_was_silent_is_asked_again(self) -> None:
        network = self.network(silent, answering(code="SERVFAIL"))
        asking = self.resolver.look_up("example.org", "A")
        for seconds in TIMEOUTS:
            network.advance(seconds)
        self.failureResultOf(asking, DNSFailure)
        self.assertEqual([each.split()[0] for each in network.questions], [NS, OTHER, NS, NS])

    def test_a_server_that_fails(self) -> None:
        for code in ("SERVFAIL", "REFUSED", "YXDOMAIN"):
            network = self.network(answering(code=code), answering("example.org. 300 IN A 192.0.2.1"))
            self.assertEqual(self.ask().records, ("192.0.2.1",))
            network = self.network(answering(code=code))
            self.assertEqual(self.fail_to_ask(), f"example.org A: {NS}: it says {code}")
            self.assertEqual(len(network.questions), 1)

    def test_nothing_is_there(self) -> None:
        network = self.network(silent)
        network.servers[NS] = None
        asking = self.resolver.look_up("example.org", "A")
        network.advance(0)
        error = self.failureResultOf(asking, DNSFailure).value
        self.assertIn("nothing answers there", error.detail)

    def test_no_socket(self) -> None:
        self.network(silent)

        def refuse(*_: Any) -> None:
            raise OSError(24, "Too many open files")

        self.patch(_asking, "Datagrams", refuse)
        self.assertIn("Too many open files", self.fail_to_ask())

    def test_what_is_no_answer_is_ignored(self) -> None:
        def other_name(query: dns.message.Message) -> Any:
            forged = dns.message.make_query("other.example", "A", id=query.id)
            return answering("other.example. 300 IN A 192.0.2.66")(forged)

        def other_id(query: dns.message.Message) -> Any:
            query.id = (query.id + 1) % 65536
            return answering("example.org. 300 IN A 192.0.2.66")(query)

        def cut(query: dns.message.Message) -> bytes:
            message: Any = answering("example.org. 300 IN A 192.0.2.1")(query)
            return message.to_wire()[:-3]

        def itself(query: dns.message.Message) -> Any:
            return query

        for server in (lambda _: b"", lambda _: b"\xff" * 200, other_name, other_id, cut, itself):
            network = self.network(server)
            asking = self.resolver.look_up("example.org", "A")
            self.assertNoResult(asking)
            network.servers[NS] = answering("example.org. 300 IN A 192.0.2.1")
            network.advance(TIMEOUTS[0])
            self.assertEqual(self.successResultOf(asking).records, ("192.0.2.1",))


class StreamTests(Case):
    def long(self, *records: str, flags: str = "") -> Server:
        """Cut off by UDP, whole by TCP."""
        first = True

        def server(query: dns.message.Message) -> Any:
            nonlocal first
            if first:
                first = False
                return answering(flags="TC")(query)
            return answering(*records, flags=flags)(query)

        return server

    def test_what_is_too_long_for_a_datagram(self) -> None:
        network = self.network(self.long("example.org. 300 IN A 192.0.2.1"))
        self.assertEqual(self.ask().records, ("192.0.2.1",))
        self.assertEqual(network.questions, [f"{NS} example.org A", f"tcp {NS} example.org A"])
        self.assertEqual(network.threads, 0)

    def test_a_datagram_that_is_longer_than_what_was_asked_for(self) -> None:
        """Its end is missing, as if the server had cut it off."""
        records = [f"example.org. 300 IN MX {number} mx{number}.example." for number in range(1000)]

        def server(query: dns.message.Message) -> Any:
            answer: Any = answering(*records)(query)
            is_tcp = network.questions[-1].startswith("tcp")
            return answer if is_tcp else answer.to_wire(max_size=65535)[:LONG_ANSWER]

        network = self.network(server)
        self.assertEqual(len(self.ask(kind="MX").records), RECORDS_LIMIT)
        self.assertEqual(len(network.questions), 2)

    def test_cut_off_in_the_middle_of_a_record(self) -> None:
        def server(query: dns.message.Message) -> Any:
            answer: Any = answering("example.org. 300 IN A 192.0.2.1", flags="TC")(query)
            if network.questions[-1].startswith("tcp"):
                return answering("example.org. 300 IN A 192.0.2.1")(query)
            return answer.to_wire()[:-3]

        network = self.network(server)
        self.assertEqual(self.ask().records, ("192.0.2.1",))

    def test_a_very_long_answer_is_read_in_a_thread(self) -> None:
        records = (f"example.org. 300 IN MX {number} mx{number}.example." for number in range(1000))
        network = self.network(self.long(*records))
        self.assertEqual(len(self.ask(kind="MX").records), RECORDS_LIMIT)
        self.assertEqual(network.threads, 1)

    def test_cut_off_again(self) -> None:
        self.network(self.long(flags="TC"))
        self.assertIn("even by TCP", self.fail_to_ask())

    def test_garbage(self) -> None:
        def server(query: dns.message.Message) -> Any:
            garbage = query.id.to_bytes(2) + b"\xff" * 5000
            return answering(flags="TC")(query) if len(network.questions) % 2 else garbage

        network = self.network(server)
        self.assertIn("cannot be read", self.fail_to_ask())

    def test_silence(self) -> None:
        def server(query: dns.message.Message) -> Any:
            return None if network.questions[-1].startswith("tcp") else answering(flags="TC")(query)

        network = self.network(server)
        asking = self.resolver.look_up("example.org", "A")
        for seconds in TIMEOUTS:
            self.settled(asking)
            network.advance(seconds)
        self.assertIn("no answer by TCP", self.failureResultOf(asking, DNSFailure).value.detail)


class AliasTests(Case):
    def test_in_the_answer(self) -> None:
        network = self.network(
            answering(
                "a.example. 300 IN CNAME b.example.",
                "b.example. 20 IN CNAME c.example.",
                "c.example. 60 IN A 192.0.2.1",
            )
        )
        answer = self.ask("a.example")
        self.assertEqual((answer.records, answer.name, answer.ttl), (("192.0.2.1",), "c.example", 20))
        self.assertEqual(len(network.questions), 1)

    def test_one_by_one(self) -> None:
        def server(query: dns.message.Message) -> Any:
            name = query.question[0].name.to_text()
            record = {
                "a.example.": "a.example. 5 IN CNAME b.example.",
                "b.example.": "b.example. 9 IN A 192.0.2.1",
            }
            return answering(record[name], flags="AD" if name == "a.example." else "")(query)

        self.network(server)
        self.resolver = DNSResolver(self.net, [(NS, 53)], is_trusted=True)
        answer = self.ask("a.example")
        self.assertEqual((answer.records, answer.name, answer.ttl), (("192.0.2.1",), "b.example", 5))
        self.assertFalse(answer.is_secure)

    def test_a_circle(self) -> None:
        for records in (
            ["a.example. 5 IN CNAME b.example.", "b.example. 5 IN CNAME a.example."],
            ["a.example. 5 IN CNAME a.example."],
        ):
            network = self.network(answering(*records))
            self.assertIn("CNAMEs go in a circle", self.fail_to_ask("a.example"))
            self.assertEqual(len(network.questions), 1)

    def test_on_and_on(self) -> None:
        def server(query: dns.message.Message) -> Any:
            name = query.question[0].name.to_text()
            return answering(f"{name} 5 IN CNAME a{name}")(query)

        network = self.network(server)
        self.assertIn("CNAMEs go in a circle", self.fail_to_ask("a.example"))
        self.assertEqual(len(network.questions), CNAMES_LIMIT + 1)

    def test_to_nothing(self) -> None:
        self.network(answering("a.example. 5 IN CNAME b.example.", code="NXDOMAIN"))
        answer = self.ask("a.example")
        self.assertEqual((answer.exists, answer.name), (False, "b.example"))

    def test_an_answer_that_contradicts_itself(self) -> None:
        self.network(answering("a.example. 5 IN A 192.0.2.1", code="NXDOMAIN"))
        self.assertIn("contradicts itself", self.fail_to_ask("a.example"))


class SecurityTests(Case):
    def is_secure(self, server: str, **settings: Any) -> bool:
        self.network(answering("example.org. 300 IN A 192.0.2.1", flags="AD"))
        self.resolver = DNSResolver(self.net, [(server, 53)] if server else [], hosts="/dev/null", **settings)
        return self.ask().is_secure

    def test_only_a_trusted_server_can_vouch(self) -> None:
        self.assertTrue(self.is_secure(LOCAL))
        self.assertFalse(self.is_secure(NS))
        self.assertTrue(self.is_secure(NS, is_trusted=True))
        self.assertFalse(self.is_secure(LOCAL, is_trusted=False))

    def test_the_system_may_trust_its_servers(self) -> None:
        path = self.mktemp()
        Path(path).write_text(f"nameserver {NS}\noptions edns0 trust-ad\n")
        self.assertTrue(self.is_secure("", resolv_conf_file=path))
        Path(path).write_text(f"nameserver {NS}\n")
        self.assertFalse(self.is_secure("", resolv_conf_file=path))

    def test_without_the_flag(self) -> None:
        self.network(answering("example.org. 300 IN A 192.0.2.1"))
        self.resolver = DNSResolver(self.net, [(LOCAL, 53)])
        self.assertFalse(self.ask().is_secure)


class SystemTests(Case):
    def with_files(self, servers: str, hosts: str = "") -> tuple[Path, Path]:
        self.network(answering("example.org. 1 IN A 192.0.2.1"))
        paths = Path(self.mktemp()), Path(self.mktemp())
        for path, text in zip(paths, (servers, hosts), strict=True):
            path.write_text(text)
        self.resolver = DNSResolver(self.net, resolv_conf_file=str(paths[0]), hosts=str(paths[1]))
        return paths

    def test_servers(self) -> None:
        self.with_files(f"; no\n# no\nsearch example.com\nnameserver\nnameserver what\nnameserver\t{NS} x\n")
        self.ask()
        self.assertEqual(self.net.questions, [f"{NS} example.org A"])

    def test_no_servers(self) -> None:
        self.with_files("")
        self.ask()
        self.assertEqual(self.net.questions, [f"{LOCAL} example.org A"])

    def test_no_file(self) -> None:
        self.with_files("")[0].unlink()
        self.ask()
        self.assertEqual(self.net.questions, [f"{LOCAL} example.org A"])

    def test_a_file_that_changes(self) -> None:
        path, _ = self.with_files(f"nameserver {NS}")
        self.ask()
        path.write_text(f"nameserver {OTHER} ")
        self.net.advance(10)
        self.ask()
        self.assertEqual([each.split()[0] for each in self.net.questions], [NS, OTHER])

    def test_a_file_is_read_in_a_thread_and_only_if_it_has_changed(self) -> None:
        _, hosts = self.with_files("", "192.0.2.7 mail.lab")
        hosts.write_text("192.0.2.7 mail.lab\n192.0.2.8 mail.lab")
        self.assertEqual(self.ask("mail.lab").records, ("192.0.2.7",))
        self.assertEqual(self.net.threads, 0)
        read: list[str] = []
        self.patch(self.resolver._hosts, "_read", lambda text: read.append(text) or _system._read_hosts(text))
        for _ in range(3):
            self.net.advance(10)
            self.assertEqual(self.ask("mail.lab").records, ("192.0.2.7", "192.0.2.8"))
        self.assertEqual((len(read), self.net.threads), (1, 3))

    def test_a_file_has_a_limit(self) -> None:
        self.patch(_system, "FILE_LIMIT", 40)
        self.with_files("", "192.0.2.7 first.lab\n192.0.2.8 second.lab\n192.0.2.9 third.lab\n")
        self.assertEqual(self.ask("first.lab").records, ("192.0.2.7",))
        self.assertEqual(self.ask("third.lab").records, ())

    def test_hosts(self) -> None:
        self.with_files(
            "", "192.0.2.7 Mail.lab mail # a.lab\n2001:db8::7 mail.lab\n192.0.2.8 mail.lab\nbad x\n"
        )
        self.assertEqual(self.ask("mail.lab.", "A").records, ("192.0.2.7", "192.0.2.8"))
        self.assertEqual(self.ask("MAIL.lab", "AAAA").records, ("2001:db8::7",))
        self.assertEqual(self.ask("mail", "AAAA").records, ())
        self.assertEqual(self.net.questions, [])
        self.ask("mail.lab", "MX")
        self.ask("a.lab", "A")
        self.assertEqual(len(self.net.questions), 2)


class ArgumentTests(SynchronousTestCase):
    def test_servers(self) -> None:
        for servers in ("192.0.2.1", [("a.example", 53)], [("192.0.2.1", 0)]):
            self.assertRaises((TypeError, ValueError), DNSResolver, Network({}), servers)
        self.assertRaises(TypeError, DNSResolver, None)
        self.assertRaises(TypeError, DNSResolver, Network({}), is_trusted=1)
