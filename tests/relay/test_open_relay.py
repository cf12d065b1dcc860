"""What open-relay testers say to a server with a queue: nobody sends through it without an account."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import hash_password, store_portal
from mailproto.backends import MemoryStore
from mailproto.delivery import MailboxDelivery
from mailproto.model import QueueFilter
from mailproto.relay import QueueDelivery, Routes
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits
from mailproto.testing import ELSEWHERE, Dialogue

PATHS = (
    "<victim@remote.example>",
    "victim@remote.example",
    "<victim@remote.example.>",
    "<VICTIM@REMOTE.EXAMPLE>",
    "<victim%remote.example>",
    "<victim%remote.example@example.org>",
    "<victim%remote.example@[192.0.2.1]>",
    "<victim%remote.example@localhost>",
    '<"victim@remote.example">',
    '<"victim%remote.example">',
    '<"victim@remote.example"@example.org>',
    "<victim@remote.example@example.org>",
    '<""victim@remote.example"@remote.example"@example.org>',
    "<@example.org:victim@remote.example>",
    "<@example.org,@localhost:victim@remote.example>",
    "<@[192.0.2.1]:victim@remote.example>",
    "<remote.example!victim>",
    "<remote.example!victim@example.org>",
    "<example.org!remote.example!victim>",
    "<victim@[127.0.0.1]>",
    "<victim@[192.0.2.1]>",
    "<victim@[IPv6:::1]>",
    "<victim@example.org.remote.example>",
    "<victim@localhost>",
    "<victim@remote.example,alice@example.org>",
    "<victim@remote.example alice@example.org>",
    "<victim;alice@example.org>",
    "<|cat@example.org>",
    "</tmp/x@example.org>",
    "<alice@example.org@remote.example>",
    '<"alice@example.org"@remote.example>',
    "<alice%remote.example@example.org>",
    "<victim@remote.example(example.org)>",
    "<victim@(example.org)remote.example>",
    "<<victim@remote.example>>",
    "<victim@remote.example><alice@example.org>",
    "<victim@remote\u3002example>",
    "<victim@remote.example\0@example.org>",
    "<SRS0=aaaa=AA=remote.example=victim@example.org>",
    "<SRS1=aaaa=remote.example==HHH=TT=other.example=victim@example.org>",
)
SENDERS = (
    "<>",
    "<spammer@elsewhere.example>",
    "<alice@example.org>",
    "<victim@remote.example>",
    "<postmaster@[192.0.2.1]>",
    "<root@localhost>",
)


class OpenRelayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.settled(self.store.directory.add("alice@example.org", hash_password("secret")))

    def settled(self, awaitable: object) -> object:
        return self.successResultOf(Deferred.fromCoroutine(awaitable))  # type: ignore[arg-type]

    def dialogue(self) -> Dialogue:
        delivery = QueueDelivery(self.store, MailboxDelivery(self.store, ["example.org"]), Routes("mx"))
        factory = SMTPServerFactory(
            delivery,
            clock=self.clock,
            hostname="mx.example.org",
            portal=store_portal(self.store),
            limits=SMTPLimits(greeting_wait=0),
        )
        return Dialogue(factory, clock=self.clock, peer=ELSEWHERE)

    def test_no_trick_works(self) -> None:
        for sender in SENDERS:
            for path in PATHS:
                talk = self.dialogue()
                talk.play("S: 220 ...\nC: EHLO tester\nS*: 250-...\nS: 250 HELP")
                talk.play(f"C: MAIL FROM:{sender}\nS: 250 ...\nC: RCPT TO:{path}\nS: 5...")
        self.assertEqual(self.settled(self.store.queue.find(QueueFilter())), [])

    def test_enquiries_tell_nothing(self) -> None:
        talk = self.dialogue()
        talk.play("S: 220 ...\nC: EHLO tester\nS*: 250-...\nS: 250 HELP")
        for name in ("alice", "alice@example.org", "nobody@example.org", "<x@remote.example>"):
            talk.play(f"C: VRFY {name}\nS: 252 2.0.0 ...\nC: EXPN {name}\nS: 252 2.0.0 ...\n")

    def test_the_null_sender_with_many_recipients(self) -> None:
        talk = self.dialogue()
        talk.play("S: 220 ...\nC: EHLO tester\nS*: 250-...\nS: 250 HELP\nC: MAIL FROM:<>\nS: 250 ...")
        talk.play("".join(f"C: RCPT TO:<v{each}@remote.example>\nS: 550 5.7.1...\n" for each in range(9)))
        talk.play("C: RCPT TO:<alice@example.org>\nS: 250 ...\nC: DATA\nS: 354 ...")
        talk.play("C: Subject: x\nC:\nC: .\nS: 250...")
        self.assertEqual(self.settled(self.store.queue.find(QueueFilter())), [])
