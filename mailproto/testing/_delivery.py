"""Tests of `IDelivery` and `IDeliverySessions`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import FirstError, gatherResults
from zope.interface.verify import verifyObject

from mailproto.awaiting import settle
from mailproto.content import Content
from mailproto.errors import MailError
from mailproto.interfaces import (
    IDelivery,
    IDeliverySession,
    IDeliverySessions,
    IExpander,
    IOwnership,
    IPermittedCommands,
    IServiceExtensions,
    IVerifier,
)
from mailproto.model import (
    NO_PARAMETERS,
    NULL_PATH,
    Address,
    Outcome,
    ServiceExtensions,
    Session,
    TLSInfo,
    VerifiedName,
)
from mailproto.smtp import SMTPClient, SMTPServerFactory
from mailproto.smtp.lmtp import LMTPClient, LMTPServerFactory
from mailproto.testing._fixture import TestCase, deferred
from mailproto.testing._reactor_thread import installed_reactor
from mailproto.testing._recording import make_envelope
from mailproto.testing._running import running_server
from mailproto.testing._transport import ELSEWHERE, LOOPBACK

__all__ = ["DeliveryConformance"]

HEADER = b"Received: from client.example by mx.example; Sun, 9 Sep 2001 01:46:40 +0000\r\nSubject: A test\r\n"
TEXT = HEADER + b"From: sender@x.example\r\n\r\nThe text.\r\n"

LONGEST_HOLD = 0.2
"""Seconds for which a call may run before it waits for something."""

_MEMORY = 1 << 18  # octets; the content of a larger message is in a file (`SMTPLimits.memory`)


class DeliveryConformance(TestCase):
    """Tests your own `IDelivery`; a mixin for ``twisted.trial.unittest.TestCase``::

        class MyDeliveryTests(DeliveryConformance, TestCase):
            good_recipient = "alice@example.org"
            bad_recipient = "nobody@example.org"

            def make_delivery(self):
                return MyDelivery()

    It delivers small and large messages, also over SMTP and LMTP.  It does not know what your delivery does
    with them: add tests for that.

    :cvar good_sender: an address that it accepts in MAIL.
    :cvar good_recipient: an address that it accepts in RCPT.
    :cvar bad_recipient: one that it refuses; None if there is none.
    """

    good_sender: str = "sender@x.example"
    good_recipient: str = "recipient@y.example"
    bad_recipient: str | None = None

    def make_delivery(self) -> Any:
        """A new `IDelivery` or `IDeliverySessions`; it may be a coroutine function."""
        hint = (
            "; `IStore.deliver` is tested by StoreDeliveryConformance" if hasattr(self, "make_store") else ""
        )
        raise TypeError(f"DeliveryConformance tests an IDelivery, and needs the method make_delivery{hint}")

    async def setUp(self) -> None:  # type: ignore[override]  # trial awaits it
        """Make the delivery."""
        self.delivery: Any = await settle(self.make_delivery())

    # What it is

    async def test_it_has_what_its_interfaces_say(self) -> None:
        self.assertFalse(isinstance(self.delivery, type), "make_delivery returns an object, not a class")
        if IDeliverySessions.providedBy(self.delivery):
            verifyObject(IDeliverySessions, self.delivery)
            verifyObject(IDeliverySession, await self.begin())
        else:
            verifyObject(IDelivery, self.delivery)
        for contract in (IOwnership, IServiceExtensions, IVerifier, IExpander, IPermittedCommands):
            if contract.providedBy(self.delivery):
                verifyObject(contract, self.delivery)
        if IServiceExtensions.providedBy(self.delivery):
            self.assertIsInstance(self.delivery.service_extensions, ServiceExtensions)

    # Senders and recipients

    async def test_good_addresses_are_accepted(self) -> None:
        for session in _sessions():
            delivery = await self.begin(session)
            await self.accepted(delivery.sender, session, Address.parse(self.good_sender), NO_PARAMETERS)
            for _ in range(3):
                path = Address.parse(self.good_recipient)
                await self.accepted(delivery.recipient, session, path, NO_PARAMETERS)

    async def test_a_bad_recipient_is_refused_and_the_transaction_goes_on(self) -> None:
        if self.bad_recipient is None:
            return
        session = _session()
        delivery = await self.begin(session)
        await self.accepted(delivery.sender, session, Address.parse(self.good_sender), NO_PARAMETERS)
        answer = await self.answer(
            delivery.recipient, session, Address.parse(self.bad_recipient), NO_PARAMETERS
        )
        self.assertIsInstance(answer, MailError, f"{self.bad_recipient} was accepted")
        good = Address.parse(self.good_recipient)
        await self.accepted(delivery.recipient, session, good, NO_PARAMETERS)

    async def test_any_address_has_an_answer(self) -> None:
        """A client may send what it likes: the answer is None or a `MailError`, never another exception."""
        session = _session()
        for sender in (NULL_PATH, *_STRANGE):
            delivery = await self.begin(session)
            if await self.answer(delivery.sender, session, sender, {"SIZE": "100"}) is not None:
                continue
            for path in (Address("Postmaster", ""), *_STRANGE):
                await self.answer(delivery.recipient, session, path, NO_PARAMETERS)

    # Messages

    async def test_each_recipient_has_an_outcome(self) -> None:
        """Also the same recipient twice."""
        for number in (1, 2, 3, 100):
            await self.delivered(TEXT, [self.good_recipient] * number)

    async def test_messages_of_every_size(self) -> None:
        """In memory and in a file; the server closes the content and removes the file afterwards."""
        for size in (0, 5_000, _MEMORY, _MEMORY + 1, 3_000_000):
            body = b"0123456789abcdef" * 4 + b"\r\n"
            await self.delivered(HEADER + b"\r\n" + body * (size // len(body)), in_file=size > _MEMORY)
        await self.delivered(TEXT)

    async def test_messages_of_every_kind(self) -> None:
        """What a server may accept from a client: nobody promises that it is a well-formed message."""
        for content in (
            HEADER,
            HEADER + b"\r\n",
            HEADER + b"\r\nNo line end",
            HEADER + b"From: \xc3\xa9 <\xff@\xfe>\r\n\r\n\xe9\xff\x80\r\n",
            HEADER + b"X: " + b"x" * 10_000 + b"\r\n\r\n" + b"y" * 10_000 + b"\r\n",
            HEADER + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n--b\r\n",
            HEADER + b"\r\n" + b"\r\n" * 1000,
        ):
            await self.delivered(content, may_fail=True)

    async def test_a_notification(self) -> None:
        """From the null path, if it is accepted: a bounce must not be answered with a bounce."""
        session = _session()
        delivery = await self.begin(session)
        if await self.answer(delivery.sender, session, NULL_PATH, NO_PARAMETERS) is None:
            path = Address.parse(self.good_recipient)
            await self.accepted(delivery.recipient, session, path, NO_PARAMETERS)
            self.outcomes(await self.answer(delivery.deliver, make_envelope("", [path]), Content(TEXT)), 1)

    async def test_it_does_not_hold_the_reactor(self) -> None:
        """While a method works or sleeps, everybody else waits: use ``deferToThread`` for what takes time."""
        holds = []
        for _ in range(3):  # the machine itself may be busy
            session = _session()
            delivery = await self.begin(session)
            envelope = make_envelope(self.good_sender, [self.good_recipient], session=session)
            longest = 0.0
            for step, arguments in (
                (delivery.sender, (session, envelope.sender, NO_PARAMETERS)),
                (delivery.recipient, (session, envelope.recipients[0].address, NO_PARAMETERS)),
                (delivery.deliver, (envelope, Content(TEXT))),
            ):
                began = time.monotonic()
                running = deferred(self.answer(step, *arguments))
                longest = max(longest, time.monotonic() - began)
                await running
            holds.append(longest)
        self.assertLess(min(holds), LONGEST_HOLD, "it blocks: everything else in this process waits")

    async def test_many_at_a_time(self) -> None:
        try:
            await gatherResults([deferred(self.delivered(TEXT)) for _ in range(50)], consumeErrors=True)
        except FirstError as first:
            first.subFailure.raiseException()

    async def test_transactions_of_two_clients_do_not_mix(self) -> None:
        sessions = [_session(), _session(ELSEWHERE)]
        begun = [(session, await self.begin(session)) for session in sessions]
        good = Address.parse(self.good_sender), Address.parse(self.good_recipient)
        for session, delivery in begun:
            await self.accepted(delivery.sender, session, good[0], NO_PARAMETERS)
        for session, delivery in reversed(begun):
            await self.accepted(delivery.recipient, session, good[1], NO_PARAMETERS)
        for session, delivery in begun:
            envelope = make_envelope(good[0], [good[1]], session=session)
            self.outcomes(await self.answer(delivery.deliver, envelope, Content(TEXT)), 1)

    # Sessions

    async def test_a_session_is_reset_and_ended_at_any_time(self) -> None:
        """`IDeliverySession.reset` and ``end``, after every step of a transaction."""
        if not IDeliverySessions.providedBy(self.delivery):
            return
        session = _session()
        good = Address.parse(self.good_sender), Address.parse(self.good_recipient)
        for steps in range(4):
            for ends in ("reset", "end"):
                delivery = await settle(self.delivery.begin(session))
                if steps > 0:
                    await self.accepted(delivery.sender, session, good[0], NO_PARAMETERS)
                if steps > 1:
                    await self.accepted(delivery.recipient, session, good[1], NO_PARAMETERS)
                if steps > 2:
                    envelope = make_envelope(good[0], [good[1]], session=session)
                    self.outcomes(await self.answer(delivery.deliver, envelope, Content(TEXT)), 1)
                if ends == "reset":
                    await settle(delivery.reset())
                    await self.accepted(delivery.sender, session, good[0], NO_PARAMETERS)
                await settle(delivery.end())

    # Served

    async def test_by_smtp(self) -> None:
        await self._served(SMTPServerFactory(self.delivery, hostname="mx.example"), SMTPClient)

    async def test_by_lmtp(self) -> None:
        await self._served(LMTPServerFactory(self.delivery, hostname="mx.example"), LMTPClient)

    async def _served(self, factory: Any, client_class: Any) -> None:
        reactor = installed_reactor()
        async with running_server(factory) as server:
            client = await client_class.connect(reactor, server.endpoint(reactor), hostname="client.example")
            await client.ehlo()
            for content in (TEXT, HEADER + b"\r\n" + b"A line of a large message.\r\n" * 20_000):
                outcomes = await client.send(self.good_sender, [self.good_recipient] * 2, content)
                self.assertTrue(all(outcome.accepted for outcome in outcomes), outcomes)
            if self.bad_recipient is not None:
                [outcome] = await client.send(self.good_sender, [self.bad_recipient], TEXT)
                self.assertFalse(outcome.accepted, f"{self.bad_recipient} was accepted")
            await client.quit()

    # Steps

    async def begin(self, session: Session | None = None) -> Any:
        """The delivery for one connection, which ends with the test."""
        if not IDeliverySessions.providedBy(self.delivery):
            return self.delivery
        begun = await settle(self.delivery.begin(_session() if session is None else session))
        self.assertTrue(IDeliverySession.providedBy(begun), f"begin returned {begun!r}")
        self.addCleanup(lambda: deferred(settle(begun.end())))
        return begun

    async def answer(self, step: Any, *arguments: Any) -> Any:
        """What a step returns, or the `MailError` that it raises; any other exception is an error."""
        try:
            return await settle(step(*arguments))
        except MailError as error:
            self.assertTrue(400 <= error.code <= 599, f"{error!r} has the code {error.code}")
            self.assertEqual(error.enhanced[:1], str(error.code)[:1], repr(error))
            return error

    async def accepted(self, step: Any, *arguments: Any) -> None:
        """See that a step accepts: it returns None."""
        answer = await self.answer(step, *arguments)
        name = getattr(step, "__name__", step)
        self.assertIsNone(answer, f"{name}({', '.join(map(str, arguments[1:2]))}) must return None to accept")

    async def delivered(
        self,
        octets: bytes,
        recipients: Sequence[str] = (),
        *,
        in_file: bool = False,
        may_fail: bool = False,
    ) -> None:
        """Deliver a message in a transaction of its own, and see that it is accepted for all recipients."""
        session = _session()
        delivery = await self.begin(session)
        paths = [Address.parse(each) for each in recipients or [self.good_recipient]]
        sender = Address.parse(self.good_sender)
        await self.accepted(delivery.sender, session, sender, NO_PARAMETERS)
        for path in paths:
            await self.accepted(delivery.recipient, session, path, NO_PARAMETERS)
        envelope = make_envelope(sender, paths, session=session)
        content, path_of_file = self._content(octets, in_file)
        try:
            answer = await self.answer(delivery.deliver, envelope, content)
        finally:
            content.close()
            if path_of_file:
                os.unlink(path_of_file)
        outcomes = self.outcomes(answer, len(paths))
        if not may_fail:
            self.assertTrue(all(outcome.accepted for outcome in outcomes), outcomes)

    def outcomes(self, answer: Any, number: int) -> Sequence[Outcome]:
        """The outcomes that `IDelivery.deliver` answered; see that they are valid."""
        if answer is None:
            return [Outcome(250, "2.0.0", "Delivered")] * number
        if isinstance(answer, MailError):
            return [Outcome(answer.code, answer.enhanced, answer.text)] * number
        self.assertIsInstance(answer, Sequence, "deliver returns None, or one Outcome for each recipient")
        self.assertEqual(len(answer), number, f"one Outcome for each recipient: {answer!r}")
        for outcome in answer:
            self.assertIsInstance(outcome, Outcome)
            self.assertIn(outcome.code // 100, (2, 4, 5), outcome)
            self.assertEqual(outcome.enhanced[:1], str(outcome.code)[:1], outcome)
            self.assertTrue(outcome.text.isprintable(), outcome)
        found: Sequence[Outcome] = answer
        return found

    async def test_optional_questions_have_answers(self) -> None:
        """`IOwnership`, `IPermittedCommands`, `IVerifier` and `IExpander`, if the delivery provides them."""
        paths = [Address.parse(self.good_sender), Address.parse(self.good_recipient), *_STRANGE]
        if IOwnership.providedBy(self.delivery):
            for path in paths:
                self.assertIsInstance(await self.answer(self.delivery.owns, str(path), path), bool)
        if IPermittedCommands.providedBy(self.delivery):
            for session in _sessions():
                for verb in ("VRFY", "EXPN", "ETRN"):
                    self.assertIsInstance(self.delivery.permits(session, verb), bool)
        for contract, name in ((IVerifier, "verify"), (IExpander, "expand")):
            if contract.providedBy(self.delivery):
                for path in paths:
                    found = await self.answer(getattr(self.delivery, name), _session(), str(path))
                    many = isinstance(found, Sequence) and len(found) > 0
                    for each in found if many else [found]:
                        self.assertIsInstance(each, VerifiedName | MailError | None)

    def _content(self, octets: bytes, in_file: bool) -> tuple[Content, str]:
        """Content as a server makes it: a large one has its header in memory and the rest in a file."""
        if not in_file:
            return Content(octets), ""
        path = self.mktemp()
        with open(path, "wb") as spool:
            spool.write(octets[len(HEADER) :])
        return Content.of_file(path, len(octets) - len(HEADER), prefix=HEADER), path


def _session(peer: str = LOOPBACK) -> Session:
    return make_envelope().session if peer == LOOPBACK else _sessions()[1]


def _sessions() -> list[Session]:
    """The sessions of a client here, one elsewhere, and one of a Unix socket."""
    tls = TLSInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384")
    return [
        Session("ESMTP", "mx.example", peer=LOOPBACK, helo="client.example"),
        Session("ESMTP", "mx.example", peer=ELSEWHERE, helo="[192.0.2.1]", tls=tls),
        Session("SMTP", "mx.example", helo="not a domain"),
    ]


_STRANGE = (
    Address("a b@c", "x.example"),
    Address("", "x.example"),
    Address('"\\', "x.example"),
    Address("x" * 64, ".".join(["y" * 63] * 3)),
    Address("josé", "bücher.example"),
    Address("jose\u0301", "xn--bcher-kva.example"),
    Address("a", "[192.0.2.1]"),
    Address("a", "[IPv6:2001:db8::1]"),
    Address("%s{0}$x;'--", "x.example"),
    Address("../../etc/passwd", "x.example"),
)
