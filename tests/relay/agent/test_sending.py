"""Messages that are sent, and how connections are used for them."""

from __future__ import annotations

from mailproto.model import QueueState
from tests.relay.agent.world import CONTENT, World


class SendingTests(World):
    def test_a_message_goes_to_the_domains_server(self) -> None:
        self.agent.start()
        self.send("bob@there.example")
        self.run_for(1)
        self.assertEqual(self.network.taken, [("RCPT TO:<bob@there.example>", CONTENT[:-2])])
        [(state, outcome)] = self.states("bob@there.example")
        self.assertEqual((state, outcome.code), (QueueState.SENT, 250))
        self.assertEqual(self.queue.rows, [])
        self.stop()
        self.assertEqual(self.network.open_connections, [])
