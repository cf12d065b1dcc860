"""A pool whose jobs are functions of its users: each ends once, whatever servers do."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from mailproto.client import ClientPool, ServerAddress
from mailproto.client.errors import ClientError
from mailproto.smtp import SMTPClient
from tests.smtp.client.dialogue import ALICE, SENDER, TEXT
from tests.smtp.client.network import Network, serving
from tests.smtp.client.test_pool import SCRIPTS

KINDS = ("send", "steps", "noop", "nothing", "raise", "slow", "abort", "quit", "swallow", "block")
TASKS = st.tuples(
    st.sampled_from([0, 0, 0, 0.03, 8, 40]),  # seconds after the one before
    st.sampled_from(KINDS),
    st.sampled_from([None, None, None, 0, 0.05, 0.1, 10]),  # seconds until it is cancelled
    st.sampled_from([900, 900, 0, 3, 60]),  # that it may wait
)


class _OwnError(Exception):
    pass


class TaskTests(SynchronousTestCase):
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        scripts=st.lists(SCRIPTS, min_size=1, max_size=4),
        tasks=st.lists(TASKS, min_size=1, max_size=12),
        connections=st.integers(1, 3),
        jobs=st.sampled_from([1, 2, 1000]),
        at_once=st.integers(1, 3),
        closes=st.booleans(),
    )
    def test_every_task_ends_once(
        self, scripts: list[Any], tasks: list[Any], connections: int, jobs: int, at_once: int, closes: bool
    ) -> None:
        self.network = network = Network(
            lambda host, number: scripts[number % len(scripts)], {"mx.example": ["192.0.2.1"]}
        )
        server = ServerAddress("mx.example", tls="none")
        pool = ClientPool(
            network,
            lambda: SMTPClient.open(network, server, hostname="client.example"),
            server.name(25),
            connections=connections,
            jobs=jobs,
            at_once=at_once,
            idle=10,
        )
        results: list[list[Any]] = []
        timers = []
        self.underway = 0
        for gap, kind, cancelled, wait in tasks:
            if gap:
                network.callLater(gap, lambda: None)
                until = network.seconds() + gap
                network.run(lambda until=until: network.seconds() >= until)
            running: Any = pool.run(lambda client, kind=kind: self._do(client, kind), wait=wait)
            results.append(result := [])
            running.addBoth(result.append)
            if cancelled is not None:
                timers.append(network.callLater(cancelled, running.cancel))
        closed = pool.close() if closes else None
        network.run(lambda: all(results), 9000)
        closed = closed or pool.close()
        network.run(lambda: bool(closed.called), 9000)
        self.successResultOf(closed)
        for timer in timers:
            if timer.active():
                timer.cancel()
        network.run(lambda: not network.open_connections, 400)
        network.advance(1)
        self.assertEqual(network.getDelayedCalls(), [])
        self.assertEqual(self.underway, 0)
        for result in results:
            self.assertEqual(len(result), 1)
            if result[0] != "done":
                self.assertIsInstance(result[0].value, (ClientError, CancelledError, _OwnError), result)

    def test_an_unfinished_transaction_is_not_the_next_task_s(self) -> None:
        self.network = network = Network(lambda host, number: serving(), {"mx.example": ["192.0.2.1"]})
        server = ServerAddress("mx.example", tls="none")
        pool = ClientPool(
            network,
            lambda: SMTPClient.open(network, server, hostname="client.example"),
            server.name(25),
            connections=1,
        )

        async def unfinished(client: SMTPClient) -> None:
            await client.mail(SENDER)
            await client.rcpt(ALICE)
            raise _OwnError

        async def whole(client: SMTPClient) -> list[int]:
            await client.mail(SENDER)
            await client.rcpt(ALICE)
            return [outcome.code for outcome in await client.data(TEXT)]

        results: list[Any] = []
        for work in (unfinished, whole):
            running: Any = pool.run(work)
            running.addBoth(results.append)
        network.run(lambda: len(results) == 2, 100)
        self.assertIsInstance(results[0].value, _OwnError)
        self.assertEqual(results[1], [250])
        closed = pool.close()
        network.run(lambda: bool(closed.called), 100)

    async def _do(self, client: SMTPClient, kind: str) -> str:
        self.underway += 1
        try:
            if kind == "send":
                await client.send(SENDER, [ALICE], TEXT)
            elif kind == "steps":
                await client.mail(SENDER)
                await client.rcpt(ALICE)
                await client.data(TEXT)
            elif kind == "noop":
                await client.noop()
            elif kind == "raise":
                raise _OwnError
            elif kind == "slow":
                await deferLater(self.network, 7)
            elif kind == "abort":
                client.abort()
            elif kind == "quit":
                await client.quit()
            elif kind == "swallow":
                try:
                    await client.noop()
                except (ClientError, CancelledError):
                    await deferLater(self.network, 1)
            elif kind == "block":
                client.noop().addErrback(lambda _: None)  # and is not waited for
            return "done"
        finally:
            self.underway -= 1
