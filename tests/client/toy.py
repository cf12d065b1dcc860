"""A client of as much of POP3 as shows that `mailproto.client` is enough to write one: no SMTP in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from mailproto.auth.sasl import ClientCredentials
from mailproto.client import Client, ClientTimeouts, ServerAddress
from mailproto.client.base import ClientSession, SASLAnswer, SASLStatus, choose_mechanisms, sign_in
from mailproto.client.errors import (
    ClientError,
    CommandRefused,
    GreetingRefused,
    ServerUntrusted,
    TLSUnavailable,
)
from mailproto.errors import WireError
from mailproto.tls import client_channel


@dataclass(frozen=True)
class Response:
    status: str
    text: str
    lines: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        return f"{self.status} {self.text}"

    @property
    def is_permanent(self) -> bool:
        return self.status == "-ERR" and "[SYS/TEMP]" not in self.text and "[IN-USE]" not in self.text


class ToyWire:
    """Octets in, responses out; ``multiline`` says of each response to come whether it has lines."""

    def __init__(self) -> None:
        self.multiline: deque[bool] = deque()
        self._octets = b""

    @property
    def pending(self) -> int:
        return len(self._octets)

    def receive(self, data: bytes) -> None:
        self._octets += data

    def next_event(self) -> Response | None:
        line, end, rest = self._octets.partition(b"\r\n")
        if not end:
            return None
        status, _, text = line.decode("latin-1").partition(" ")
        if status not in ("+OK", "-ERR", "+"):
            self._octets = b""
            raise WireError("no status")
        lines: list[str] = []
        if status == "+OK" and self.multiline and self.multiline[0]:
            body, end, rest = (b"\r\n" + rest).partition(b"\r\n.\r\n")
            if not end:
                return None
            lines = body.decode("latin-1").split("\r\n")[1:]
        if self.multiline:
            self.multiline.popleft()
        self._octets = rest
        return Response(status, text, tuple(lines))


class ToySession(ClientSession[Response]):
    offered: tuple[str, ...] = ()

    def greeting_fault(self, event: Response) -> ClientError | None:
        return GreetingRefused(reply=event) if event.status != "+OK" else None

    async def say(self, line: str, *, multiline: bool = False) -> Response:
        [response] = await self.say_all([line], multiline=multiline)
        return response

    def say_all(self, lines: Sequence[str], *, multiline: bool = False) -> Deferred[list[Response]]:
        wire = self.connection.wire
        assert isinstance(wire, ToyWire)
        wire.multiline += [multiline for _ in lines]
        return self.exchange_many([(line.partition(" ")[0], line.encode() + b"\r\n") for line in lines])


class ToyClient(Client[Response, None]):
    _session: ToySession

    def __init__(
        self, clock: IReactorTime, *, timeouts: ClientTimeouts | None = None, is_remote: bool = False
    ) -> None:
        timeouts = timeouts or ClientTimeouts()
        super().__init__(ToySession(clock, ToyWire(), timeouts, is_remote=is_remote), timeouts)

    @classmethod
    def default_port(cls, server: ServerAddress) -> int:
        return 995 if server.tls == "implicit" else 110

    def commands(self, *lines: str, multiline: bool = False) -> Deferred[list[Response]]:
        """Said together, before the first is answered."""

        async def run() -> list[Response]:
            responses = await self._session.say_all(lines, multiline=multiline)
            for response in responses:
                if response.status != "+OK":
                    raise CommandRefused(reply=response)
            return responses

        return self._session.run(run)

    def upload(self, pieces: Iterator[bytes]) -> Deferred[list[Response]]:
        return self._session.run(lambda: self._upload(pieces))

    async def _upload(self, pieces: Iterator[bytes]) -> list[Response]:
        return await self._session.stream("the upload", pieces, 30, block=20)

    async def _starttls(self, tls: Any) -> None:
        if "STLS" not in self._session.offered:
            raise TLSUnavailable
        response = await self._session.say("STLS")
        if response.status != "+OK":
            raise TLSUnavailable(reply=response)
        await self._session.start_tls(tls)
        await self._learn()

    def authenticate(
        self, credentials: ClientCredentials, *, mechanism: str | None = None, allow_clear: bool = False
    ) -> Deferred[str]:
        async def run() -> str:
            session, connection = self._session, self._session.connection
            offered = next((each.split()[1:] for each in session.offered if each.startswith("SASL ")), [])
            channel = client_channel(connection.transport, is_local=connection.is_local)
            mechanisms = choose_mechanisms(
                offered, credentials, channel, mechanism=mechanism, allow_clear=allow_clear
            )
            try:
                return await sign_in(mechanisms, _Auth(session), session.clock)
            except ServerUntrusted as error:
                raise session.fail(error) from None

        return self._session.run(run)

    def quit(self) -> Deferred[None]:
        async def run() -> None:
            await self._session.say("QUIT")
            self._session.leave()

        if self.is_usable:
            self._session.run(run).addErrback(lambda _: None)
        return self.closed()

    def _introduce(self) -> Deferred[None]:
        return self._session.run(self._learn)

    async def _learn(self) -> None:
        self._session.offered = (await self._session.say("CAPA", multiline=True)).lines


class _Auth:
    def __init__(self, session: ToySession) -> None:
        self._session = session

    def takes_initial(self, mechanism: str, response: bytes) -> bool:
        return len(mechanism) + len(response) < 240  # RFC 5034 4

    async def begin(self, mechanism: str, initial: bytes | None) -> SASLAnswer:
        argument = "" if initial is None else " " + initial.decode("ascii")
        return self._read(await self._session.say(f"AUTH {mechanism}{argument}"))

    async def respond(self, response: bytes) -> SASLAnswer:
        return self._read(await self._session.say(response.decode("ascii")))

    def _read(self, response: Response) -> SASLAnswer:
        status = {"+": SASLStatus.CHALLENGE, "+OK": SASLStatus.SUCCESS}.get(
            response.status, SASLStatus.REFUSED
        )
        return SASLAnswer(status, response, response.text.encode("latin-1"))
