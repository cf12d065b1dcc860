"""One POP3 session of a client: the order of its commands, and what is known about the server."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from typing import Final, TypeVar

from twisted.internet.defer import Deferred, fail

from mailproto.client.base import GREETING, ClientSession, Turn
from mailproto.client.errors import ClientError, GreetingRefused, ProtocolViolation
from mailproto.pop3.client._command import Command
from mailproto.pop3.client._timeouts import POP3Timeouts
from mailproto.pop3.wire import POP3ClientWire, POP3Event, POP3ReplyLimits, Reply
from mailproto.typing import ReactorTime

__all__ = ["MAX_UNANSWERED", "POP3Session"]

MAX_UNANSWERED: Final = 64
"""The most commands that wait for their answers with PIPELINING."""

# Only what RFC 5322 allows in a msg-id: otherwise a server in between could choose octets with which digests
# tell a part of the password (CVE-2007-1558).
_TIMESTAMP: Final = re.compile(
    r"<[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]{1,200}@[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.:\[\]]{1,200}>"
)

T = TypeVar("T")


class POP3Session(ClientSession[POP3Event]):
    """The order of commands.

    With PIPELINING, a `Command` need not wait for the answers to others; other dialogues do.

    :ivar capabilities: what the server offers, by name; None if it was not asked, or does not know CAPA.
    :ivar authenticated_by: how the client has signed in; "" if it has not.
    """

    wire: POP3ClientWire
    greeting: Reply | None

    def __init__(
        self,
        clock: ReactorTime,
        *,
        timeouts: POP3Timeouts,
        limits: POP3ReplyLimits,
        pipelining: bool,
        is_remote: bool,
    ) -> None:
        self.wire = POP3ClientWire(limits)
        super().__init__(clock, self.wire, timeouts, is_remote=is_remote)
        self.timeouts = timeouts
        self.limits = limits
        self.capabilities: Mapping[str, tuple[str, ...]] | None = None
        self.authenticated_by = ""
        self._may_pipeline = pipelining
        self._begun: deque[Command[object]] = deque()

    # -- what is known about the server

    @property
    def pipelines(self) -> bool:
        """Whether commands may be sent before the answers to earlier ones."""
        return self._may_pipeline and "PIPELINING" in (self.capabilities or ())

    @property
    def timestamp(self) -> str:
        """The timestamp of the greeting for APOP; "" if there is none that is safe."""
        text = "" if self.greeting is None else self.greeting.text
        match = _TIMESTAMP.search(text)
        return match[0] if match else ""

    # -- commands

    def submit(self, command: Command[T]) -> Deferred[T]:
        """Send a command as soon as it may be sent."""
        if not self.enqueue(command):
            return fail(self.error)
        return command.result

    def may_begin_now(self, turn: Turn) -> bool:
        """Whether a turn need not wait for answers: with PIPELINING, a command after others."""
        return (
            isinstance(turn, Command)
            and self.pipelines
            and len(self._begun) < MAX_UNANSWERED
            and len(self._begun) == len(self._expected)
        )

    def begin(self, turn: Turn) -> bool:
        """Begin a command."""
        if not isinstance(turn, Command):
            raise TypeError(turn)
        self._begun.append(turn)
        turn.begin()
        return True

    def answered(self, command: Command[T]) -> None:
        """The oldest command has its whole answer."""
        if self._begun and self._begun[0] is command:
            self._begun.popleft()

    def interrupted(self, error: ClientError) -> None:
        """Fail the commands that were sent."""
        begun = list(self._begun)
        self._begun.clear()
        for command in begun:
            command.fail(error)

    async def say(self, question: str, line: bytes, timeout: float | None = None) -> Reply:
        """Send a line inside of a dialogue, and wait for its reply."""
        self.wire.expect()
        return await self.respond(question, line, timeout)

    async def respond(self, question: str, line: bytes, timeout: float | None = None) -> Reply:
        """The same for a line that belongs to a command whose answer is not complete."""
        reply = await self.exchange(question, line, timeout)
        if not isinstance(reply, Reply):  # pragma: no cover - nothing with lines is asked for here
            raise TypeError(reply)
        return reply

    # -- answers

    def greeting_fault(self, event: POP3Event) -> ClientError | None:
        """Only ``+OK`` greets."""
        if isinstance(event, Reply) and event.status == "-ERR":
            return GreetingRefused(reply=event)
        return self.answer_fault(GREETING, event)

    def answer_fault(self, question: str, event: POP3Event) -> ClientError | None:
        """A challenge answers AUTH only."""
        if isinstance(event, Reply) and event.status == "+" and question != "AUTH":
            return ProtocolViolation(f"The server answered {question} with a challenge", reply=event)
        return None
