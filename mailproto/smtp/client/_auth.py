"""AUTH (RFC 4954): how SMTP carries the messages of a SASL mechanism."""

from __future__ import annotations

from functools import partial

from mailproto.client.base import SASLAnswer, SASLStatus
from mailproto.smtp.client._session import SMTPSession
from mailproto.smtp.wire import Reply

__all__ = ["AuthDialect"]


class AuthDialect:
    """The `SASLDialect` of SMTP."""

    _MAX_COMMAND = 512
    """The most octets of AUTH with its initial response; a longer response has a line of its own (4)."""

    _STATUSES = {
        235: SASLStatus.SUCCESS,
        334: SASLStatus.CHALLENGE,
        # The mechanism is unknown, too weak, or allowed in TLS only; the credentials were not checked (6).
        504: SASLStatus.OTHER_MECHANISM,
        534: SASLStatus.OTHER_MECHANISM,
        538: SASLStatus.OTHER_MECHANISM,
    }

    _NOT_BEGUN = dict.fromkeys((500, 502, 530), SASLStatus.OTHER_MECHANISM)
    """AUTH is unknown, or STARTTLS must be first (RFC 3207 4)."""

    def __init__(self, session: SMTPSession) -> None:
        self._exchange = partial(session.exchange, "AUTH")

    def takes_initial(self, mechanism: str, response: bytes) -> bool:
        """Whether AUTH has room for the initial response."""
        return len(_auth_line(mechanism, response)) <= self._MAX_COMMAND

    async def begin(self, mechanism: str, initial: bytes | None) -> SASLAnswer:
        """AUTH, with the initial response if there is one."""
        reply = await self._exchange(_auth_line(mechanism, initial))
        return self._read(reply, self._NOT_BEGUN.get(reply.code, SASLStatus.REFUSED))

    async def respond(self, response: bytes) -> SASLAnswer:
        """A line with a response in base64."""
        return self._read(await self._exchange(response + b"\r\n"))

    def _read(self, reply: Reply, otherwise: SASLStatus = SASLStatus.REFUSED) -> SASLAnswer:
        return SASLAnswer(self._STATUSES.get(reply.code, otherwise), reply, reply.lines[0])


def _auth_line(mechanism: str, initial: bytes | None) -> bytes:
    command = b"AUTH " + mechanism.encode("ascii")
    return command + b"\r\n" if initial is None else b"%b %b\r\n" % (command, initial)
