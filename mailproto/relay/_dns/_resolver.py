"""`DNSResolver`: asks the servers of the DNS, and keeps their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import dns.exception
from twisted.internet.defer import Deferred, DeferredSemaphore, succeed

from mailproto._arguments import check_bool, check_places, wrong_value
from mailproto._ip import ip_address
from mailproto._twisted_arguments import check_clock
from mailproto.domains import canonical_domain
from mailproto.printable import printable
from mailproto.relay._dns._answers import Answer, DNSFailure, Kind, MXRecord, NoAnswer, TLSARecord
from mailproto.relay._dns._asking import ask_server
from mailproto.relay._dns._cache import Cache
from mailproto.relay._dns._messages import MALFORMED, NO_ERROR, NO_SUCH_NAME, Question, Response
from mailproto.relay._dns._system import Servers, hosts_file, resolv_conf
from mailproto.typing import Reactor

__all__ = ["CNAMES_LIMIT", "QUERIES_LIMIT", "TIMEOUTS", "DNSResolver"]

TIMEOUTS: Final = (2.0, 4.0, 6.0)
"""Seconds to wait for each server, in each round through all servers."""

CNAMES_LIMIT: Final = 8
"""The most questions for one name whose answers say that it is an alias of another."""

QUERIES_LIMIT: Final = 100
"""The most questions that wait for their answers at a time; each has a socket."""

_HOSTS_TTL: Final = 10


class DNSResolver:
    """Asks the servers of the DNS in order, and keeps their answers for their time.

    :param reactor: Twisted's reactor.
    :param servers: the (address, port) of recursive servers; none for the system's (``/etc/resolv.conf``).
    :param is_trusted: whether the servers, and the way to them, can be trusted to validate answers (DNSSEC);
        by default, those on this machine, and the system's with the option ``trust-ad``.  Only answers of
        such servers can be secure, as DANE needs them.
    :param resolv_conf, hosts: the system's files; addresses that ``hosts`` has for a name count first.
    :raises TypeError, ValueError: an argument is not valid.
    """

    def __init__(
        self,
        reactor: Reactor,
        servers: Sequence[tuple[str, int]] = (),
        *,
        is_trusted: bool | None = None,
        resolv_conf_file: str = "/etc/resolv.conf",
        hosts: str = "/etc/hosts",
    ) -> None:
        check_clock("reactor", reactor)
        if is_trusted is not None:
            check_bool("is_trusted", is_trusted)
        check_places("servers", servers)
        for address, port in servers:
            if ip_address(address) is None or not 0 < port < 1 << 16:
                raise wrong_value("each of servers", (address, port), "an IP address and a port")
        self._reactor: Any = reactor
        self._given = Servers(tuple((str(ip_address(host)), port) for host, port in servers))
        self._system = resolv_conf(reactor, resolv_conf_file)
        self._hosts = hosts_file(reactor, hosts)
        self._is_trusted = is_trusted
        self._room = DeferredSemaphore(QUERIES_LIMIT)
        self._cache: Cache[tuple[str, Kind], Answer] = Cache(reactor, self._ask)

    def look_up(self, name: str, kind: Kind) -> Deferred[Answer]:
        """Ask for the records of a name (`Lookup`).

        :param name: a domain; in A-labels, or what they can be made of.
        :raises DNSFailure: no server has answered in time, or none usefully.
        """
        name = canonical_domain(name)
        if kind in ("A", "AAAA") and (known := self._hosts.value().get(name)):
            is_long = kind == "AAAA"
            records = tuple(each for each in known if (":" in each) == is_long)
            return succeed(Answer(records, name, ttl=_HOSTS_TTL))
        return self._cache.get((name, kind))

    async def _ask(self, key: tuple[str, Kind]) -> tuple[Answer, float, int]:
        name, kind = key
        answer = await self._ask_servers(name, kind)
        for _ in range(CNAMES_LIMIT):
            if answer.records or not answer.exists or answer.name in (name, ""):
                return answer, answer.ttl, _size(answer)
            name = answer.name  # a server that does not follow CNAMEs itself
            answer = answer.and_then(await self._ask_servers(name, kind))
        raise DNSFailure(detail=printable(f"{key[0]}: its CNAMEs go in a circle, or are too many"))

    async def _ask_servers(self, name: str, kind: Kind) -> Answer:
        """The first useful answer; who was silent is asked again, and waited for longer."""
        servers = self._given if self._given.addresses else self._system.value()
        fault = ""
        silent = servers.addresses
        for seconds in TIMEOUTS:
            asked, silent = silent, ()
            for server in asked:
                try:
                    response = await self._ask_one(server, name, kind, seconds)
                except DNSFailure as error:
                    fault = f"{server[0]}: {error.detail}"
                    if isinstance(error, NoAnswer):
                        silent += (server,)
                    continue
                if response.code in (NO_ERROR, NO_SUCH_NAME):
                    return self._judged(response.answer, server, servers)
                fault = f"{server[0]}: it says {response.code_name}"
        raise DNSFailure(detail=printable(f"{name} {kind}: {fault}"))

    async def _ask_one(self, server: tuple[str, int], name: str, kind: Kind, seconds: float) -> Response:
        """One server's response, at most `QUERIES_LIMIT` of them at a time."""
        try:
            question = Question(name, kind)
        except (dns.exception.DNSException, ValueError) as error:
            raise DNSFailure(detail=f"this name cannot be asked for ({error})") from None
        await self._room.acquire()
        try:
            response = await ask_server(self._reactor, server, question, seconds)
            if response.code in MALFORMED:  # the server may be older than EDNS
                question = Question(name, kind, takes_long=False)
                response = await ask_server(self._reactor, server, question, seconds)
            return response
        finally:
            self._room.release()

    def _judged(self, answer: Answer, server: tuple[str, int], servers: Servers) -> Answer:
        """The answer, secure only if the server is trusted to say so."""
        is_trusted = self._is_trusted
        if is_trusted is None:
            address = ip_address(server[0])
            is_trusted = servers.are_trusted or (address is not None and address.is_loopback)
        return answer if is_trusted or not answer.is_secure else replace(answer, is_secure=False)


def _size(answer: Answer) -> int:
    """Octets that an answer takes in memory, more or less."""
    return 500 + sum(150 + len(_octets(record)) for record in answer.records)


def _octets(record: Any) -> str | bytes:
    if isinstance(record, MXRecord):
        return record.host
    return record.data if isinstance(record, TLSARecord) else record
