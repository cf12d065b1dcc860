"""Everything arrives once or comes back once, whatever servers do, and whenever agents are stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from mailproto.errors import MailError, Refused, StorageFull
from mailproto.model import QueueState
from mailproto.relay._dns import DNSFailure
from mailproto.relay.limits import RelayLimits
from tests.relay.agent.world import CONTENT, HOME, World
from tests.smtp.client.network import serving

DOMAINS = 12
MESSAGES = 80
STAGES = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "final")
SAID = (
    "close",
    "silent",
    "garbage",
    "421 4.3.2 Busy|close",
    "450 4.2.0 Later",
    "452 4.5.3 Too many recipients",
    "550 5.1.1 No",
    "554 5.7.1 Never",
)
ENDINGS = ("250-mx\r\n250 PIPELINING", "250 mx", "250-mx\r\n250-PIPELINING\r\n250 LIMITS MAILMAX=3 RCPTMAX=2")
CONTENTS = (CONTENT, CONTENT, b"TLS-Required: No\r\n" + CONTENT)
FINALS = ("250 OK", "250 OK", "0.06|250 OK", "8.00|250 OK")


class RandomTests(World):
    def is_once(self, seed: int) -> None:
        random = Random(seed)
        until = self.network.seconds() + random.choice([600, 7200])
        self.network.script = lambda host, _: self.odd(random, host, until)
        self.limits = replace(
            RelayLimits(),
            leased=random.choice([5, 50, 2000]),
            connections=random.choice([1, 3, 100]),
            destination_leased=random.choice([1, 3, 250]),
            destination_connections=random.choice([1, 20]),
            slow_connections=random.choice([0, 400]),
            connection_messages=random.choice([1, 2, 4, 1000]),
            connection_age=random.choice([0.02, 2, 300]),
            connection_idle=random.choice([0, 5]),
            recipients=random.choice([1, 3, 50]),
            rate=random.choice([0, 0, 5]),
            stop_within=random.choice([1, 20]),
        )
        for number in range(DOMAINS):
            servers = [f"10.0.{number % 4}.{each}" for each in range(random.randint(1, 3))]
            self.domains[f"d{number}.example"] = self.found(random, servers)
        agents = [self.make_agent() for _ in range(random.choice([1, 1, 3]))]
        for agent in agents:
            agent.start()
        wanted: list[str] = []
        for number in range(MESSAGES):
            to = [
                f"m{number}r{each}@d{random.randrange(DOMAINS)}.example"
                for each in range(random.randint(1, 6))
            ]
            wanted += to
            self.send(*to, id=f"M{number}", content=random.choice(CONTENTS))
            if random.random() < 0.1:
                self.queue.failures = [StorageFull()] * random.randint(1, 3)
            self.run_for(random.choice([0, 0, 0.05, 1, 30]))
            if random.random() < 0.05:
                done = agents[0].stop()
                self.run_for(45)
                self.successResultOf(done)
                agents[0] = self.make_agent()
                agents[0].start()
        self.run_for(max(until - self.network.seconds(), 0))
        for number in range(DOMAINS):
            if not isinstance(self.domains[f"d{number}.example"], Refused):
                self.domains[f"d{number}.example"] = ["10.0.0.1"]
        self.run_for(3 * 3600)
        self.check(wanted)
        for agent in agents:
            done = agent.stop()
            self.run_for(30)
            self.successResultOf(done)
        self.assertEqual(self.network.open_connections, [])
        self.assertEqual(self.network.getDelayedCalls(), [])

    def found(self, random: Random, servers: list[str]) -> Any:
        errors: list[MailError] = [Refused(550, "5.1.2", "No such domain"), DNSFailure()]
        return random.choice([servers] * 6 + errors)  # type: ignore[operator]

    def odd(self, random: Random, host: str, until: float) -> Mapping[str, Any]:
        if host == HOME or self.network.seconds() > until or random.random() < 0.5:
            slow = {"greeting": random.choice(["220 mx", "220 mx", "6.00|220 mx"])} if host != HOME else {}
            return serving(EHLO=random.choice(ENDINGS), final=random.choice(FINALS), **slow)
        if random.random() < 0.2:
            return serving(connect=random.choice(["refuse", "silent"]))
        stage, said = random.choice(STAGES), random.choice(SAID)
        usual = serving()["." if stage == "final" else stage]
        return serving(**{stage: [usual] * random.randint(0, 3) + [said]})

    def check(self, wanted: list[str]) -> None:
        counts = self.counts()
        self.assertEqual((counts.messages, counts.leased), (0, 0))
        final = Counter(
            address
            for address, result in self.queue.done
            if result.state is not QueueState.WAITING and address != "alice@home.example"
        )
        self.assertEqual(final, Counter(wanted))
        arrived = Counter(each for each in self.arrived if each != "alice@home.example")
        sent = {address for address, result in self.queue.done if result.state is QueueState.SENT}
        self.assertEqual(sent - {"alice@home.example"} - set(arrived), set())
        uncertain = {
            address
            for address, result in self.queue.done
            if "it may have been delivered" in result.outcome.text
        }
        twice = {address for address, number in arrived.items() if number > 1}
        self.assertEqual(twice - uncertain, set())
        failed = {address for address, result in self.queue.done if result.state is QueueState.FAILED}
        told = "".join(self.reports())
        self.assertEqual({each for each in failed if f"rfc822;{each}" not in told}, set())
        self.assertEqual(failed & set(arrived) - uncertain, set())

    def test_everything_arrives_once_or_comes_back_once(self) -> None:
        for seed in range(4):
            with self.subTest(seed=seed):
                self.setUp()
                self.is_once(seed)
