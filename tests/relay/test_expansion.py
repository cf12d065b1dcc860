"""What `QueueDelivery` makes of mail for aliases."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import capturedLogs
from zope.interface import implementer

from mailproto.content import Content
from mailproto.delivery.reports import Report
from mailproto.errors import MailError, RecipientUnknown, Refused, RelayDenied
from mailproto.interfaces import IAliases
from mailproto.model import NULL_PATH, Address, NewQueued, Placement, Recipient
from mailproto.observing import Expanded, Observer
from mailproto.relay import QueueDelivery, _expansion
from mailproto.relay._intake_reports import MAX_FAILED
from mailproto.relay.aliases import SRS, AliasLimits
from mailproto.testing import make_envelope
from tests.relay import test_intake
from tests.relay.test_intake import (
    LMTP,
    MESSAGE,
    NOW,
    PORT_25,
    SUBMISSION,
    IntakeCase,
    address,
)

SECRET = b"a secret of 24 octets..."
STRANGER = "x@remote.example"
RETURN_PATH = re.compile(r"\ASRS0=.{4}=[A-Z2-7]{2}=remote\.example=x@example\.org\Z")


@implementer(IAliases)
class Table:
    """Aliases in a dict; the key ``@domain`` is a catch-all."""

    def __init__(self, table: Mapping[str, str | MailError]) -> None:
        self.table = dict(table)
        self.asked = 0

    def addresses_for(self, path: Address, is_unknown: bool) -> Any:
        self.asked += 1
        found = self.table.get(f"@{path.domain}" if is_unknown else str(path).lower())
        if isinstance(found, MailError):
            raise found
        return None if found is None else [address(each) for each in found.split()]


class AliasCase(IntakeCase):
    """The server of `IntakeCase`, with aliases."""

    TABLE: Mapping[str, str | MailError] = {
        "info@example.org": "alice@example.org bob@example.org",
        "one@example.org": "bob@example.org",
        "out@example.org": "y@other.example",
        "bob@example.org": "bob@example.org bob@elsewhere.example",
        "deep@example.org": "out@example.org one@example.org",
        "nobody@example.org": "gone@example.org",
        "partly@example.org": "gone@example.org alice@example.org",
        "quiet@example.org": "x@quiet.example",
        "a@example.org": "b@example.org",
        "b@example.org": "a@example.org",
        "c@example.org": "d@example.org alice@example.org",
        "d@example.org": "c@example.org",
        "closed@example.org": Refused(550, "5.7.1", "Closed"),
        "@old.example": "alice@example.org",
        "out@old.example": "y@other.example",
        "@example.org": "",
    }

    def setUp(self) -> None:
        self.table = Table({key: value for key, value in self.TABLE.items() if value != ""})
        self.told: list[Expanded] = []
        super().setUp()

    def make(self, **settings: Any) -> QueueDelivery:
        class Witness(Observer):
            def expanded(witness, event: Expanded) -> None:  # noqa: N805
                self.told.append(event)

        srs = SRS("example.org", SECRET, domains=["old.example"], clock=lambda: NOW)
        return super().make(**{"aliases": self.table, "srs": srs, "observer": Witness(), **settings})

    def send(self, *recipients: str | Recipient, **options: Any) -> Sequence[str]:
        """Deliver a stranger's message; the replies."""
        outcomes = self.deliver(*recipients, **{"session": PORT_25, "sender": STRANGER, **options})
        return [f"{each.code} {each.enhanced} {each.text}" for each in outcomes]

    def mail(self) -> list[str]:
        """What was mailed to the queue: recipients that are elsewhere, and accounts."""
        return [
            " ".join(
                [
                    *(
                        str(recipient.address)
                        for recipient, to in zip(new.envelope.recipients, new.destinations, strict=True)
                        if to is not None
                    ),
                    *(placement.account for placement in new.placements),
                ]
            )
            for new in self.queue.added
        ]

    def field(self, new: NewQueued, name: str) -> list[str]:
        header = bytes(new.content)[new.skip :].decode().partition("\r\n\r\n")[0]
        return [line.partition(": ")[2] for line in header.split("\r\n") if line.startswith(f"{name}:")]


class TwiceTests(AliasCase):
    def test_one_copy_however_often_somebody_is_named(self) -> None:
        named = ("y@other.example", "info@example.org", "Y@Other.example", "out@example.org")
        self.send(*named, session=SUBMISSION)
        self.assertEqual(
            self.mail(), ["y@other.example", "bob@elsewhere.example alice@example.org bob@example.org"]
        )
        self.queue.added.clear()
        self.send("out@example.org", "OUT@example.org", "deep@example.org")
        self.assertEqual(sorted(" ".join(self.mail()).split()).count("y@other.example"), 1)


class SRSTests(AliasCase):
    def test_the_domain_of_the_alias(self) -> None:
        for alias, domain in (("out@example.org", "example.org"), ("out@old.example", "old.example")):
            self.send(alias)
            sender = self.queue.added.pop().envelope.sender
            self.assertEqual(sender.domain, domain)
            self.assertEqual(self.settled(self.delivery.recipient(PORT_25, sender, {})), None)


class RecipientTests(AliasCase):
    def ask(self, path: str, session: Any = PORT_25) -> Any:
        return self.delivery.recipient(session, address(path), {})

    def test_anybody_may_send_to_an_alias(self) -> None:
        for path in ("info", "one", "out", "bob", "deep", "partly", "alice", "alice+x", "c", "d"):
            self.assertIsNone(self.settled(self.ask(f"{path}@example.org")), path)
        self.assertIsNone(self.settled(self.ask("any@old.example")))

    def test_and_still_nowhere_else(self) -> None:
        for path in ("victim@remote.example", "y@other.example", "bob@elsewhere.example"):
            self.refused(self.ask(path), RelayDenied)
        self.refused(self.ask("unknown@example.org"), RecipientUnknown)
        self.assertIsNone(self.settled(self.ask("victim@remote.example", SUBMISSION)))

    def test_an_alias_of_nobody_is_refused_at_once(self) -> None:
        for path, code in (
            ("nobody", "550 5.1.1"),
            ("quiet", "550 5.7.1"),
            ("a", "554 5.4.6"),
            ("b", "554 5.4.6"),
            ("closed", "550 5.7.1"),
        ):
            error = self.refused(self.ask(f"{path}@example.org"), MailError)
            self.assertEqual(f"{error.code} {error.enhanced}", code, path)

    def test_tricks(self) -> None:
        """A catch-all of our own domain gets what has a domain in its local part; nothing goes elsewhere."""
        for path in test_intake.RecipientTests.TRICKS:
            self.refused(self.ask(path), RelayDenied)
        for path in test_intake.RecipientTests.LOCAL_TRICKS:
            self.refused(self.ask(path), RecipientUnknown)
        self.table.table["@example.org"] = "alice@example.org"
        for path in test_intake.RecipientTests.LOCAL_TRICKS:
            self.send(path)
        self.assertEqual(
            (self.mails("alice@example.org"), self.mail()), (len(test_intake.RecipientTests.LOCAL_TRICKS), [])
        )

    def test_nothing_is_logged_yet(self) -> None:
        with capturedLogs() as log:
            self.settled(self.ask("info@example.org"))
        self.assertEqual((list(log), self.told), ([], []))

    def test_who_owns_an_alias(self) -> None:
        for account, path, owns in (
            ("bob@example.org", "one@example.org", False),  # bob's mail goes elsewhere, too
            ("bob@example.org", "bob@example.org", True),
            ("bob@example.org", "bob+x@example.org", True),
            ("alice@example.org", "bob@example.org", False),
            ("alice@example.org", "any@old.example", True),
            ("bob@example.org", "any@old.example", False),
            ("alice@example.org", "info@example.org", False),
            ("alice@example.org", "alice@example.org", True),
            ("alice@example.org", "out@example.org", False),
        ):
            self.assertEqual(self.settled(self.delivery.owns(account, address(path))), owns, path)


class HereTests(AliasCase):
    """Aliases of mailboxes here."""

    TABLE = {
        **AliasCase.TABLE,
        "bob@example.org": "",
        "both@example.org": "info@example.org one@example.org",
    }

    def test_each_gets_a_copy(self) -> None:
        self.assertEqual(self.send("info@example.org"), ["250 2.0.0 Delivered"])
        self.assertEqual((self.mails("alice@example.org"), self.mails("bob@example.org")), (1, 1))
        self.assertEqual(self.queue.added, [])

    def test_a_copy_once(self) -> None:
        self.assertEqual(
            self.send("both@example.org", "alice@example.org", "info@example.org", "one@example.org"),
            ["250 2.0.0 Delivered"] * 4,
        )
        self.assertEqual((self.mails("alice@example.org"), self.mails("bob@example.org")), (1, 1))

    def test_lists_that_lead_to_each_other(self) -> None:
        for path in ("c", "d"):
            self.send(f"{path}@example.org")
        self.assertEqual(self.mails("alice@example.org"), 2)

    def test_a_catch_all(self) -> None:
        self.send("any@old.example")
        self.assertEqual(self.mails("alice@example.org"), 1)

    def test_a_catch_all_of_our_domain_takes_nothing_from_accounts_and_aliases(self) -> None:
        self.table.table["@example.org"] = "alice@example.org"
        for path in ("bob", "one", "bob+x"):
            self.send(f"{path}@example.org")
        self.assertEqual((self.mails("bob@example.org"), self.mails("alice@example.org")), (3, 0))
        self.send("unknown@example.org")
        self.assertEqual(self.mails("alice@example.org"), 1)

    def test_somebody_is_unknown(self) -> None:
        self.assertEqual(self.send("partly@example.org"), ["250 2.0.0 Delivered"])
        self.assertEqual(self.mails("alice@example.org"), 1)
        [new] = self.queue.added
        self.assertEqual(self.mail(), [STRANGER])
        text = bytes(new.content)
        self.assertIn(b"Final-Recipient: rfc822;gone@example.org", text)
        self.assertIn(b"Original-Recipient: rfc822;partly@example.org", text)
        self.assertEqual(text.count(b"Action: "), 1)

    def test_everybody_is_unknown(self) -> None:
        self.assertEqual(self.send("nobody@example.org"), ["550 5.1.1 No such mailbox here"])
        self.assertEqual(self.queue.added, [])
        self.assertEqual(self.send("nobody@example.org", "alice@example.org")[1], "250 2.0.0 Delivered")
        [new] = self.queue.added
        self.assertIn(b"Final-Recipient: rfc822;nobody@example.org", bytes(new.content))
        self.assertNotIn(b"gone@", bytes(new.content))

    def test_lmtp_tells_of_each_recipient_but_not_of_results(self) -> None:
        self.send("nobody@example.org", "alice@example.org", session=LMTP)
        self.assertEqual(self.queue.added, [])
        self.send("partly@example.org", session=LMTP)
        self.assertEqual(len(self.queue.added), 1)

    def test_a_temporary_error_wins(self) -> None:
        self.table.table["info@example.org"] = "gone@example.org closed@example.org"
        self.table.table["closed@example.org"] = Refused(450, "4.2.1", "Later")
        self.assertEqual(self.send("info@example.org"), ["450 4.2.1 Later"])

    def test_the_line_in_the_log(self) -> None:
        with capturedLogs() as log:
            self.send("both@example.org")
        start = "expanded id=1 recipient="
        lines = [event["line"] for event in log if event.get("kind") == "expanded"]
        self.assertEqual(
            [re.sub(r" id=\w+", " id=1", line) for line in lines],
            [
                f"{start}<both@example.org> number=2 to=<info@example.org>,<one@example.org>",
                f"{start}<info@example.org> number=2 to=<alice@example.org>,<bob@example.org>",
                f"{start}<one@example.org> number=1 to=<bob@example.org>",
            ],
        )
        self.assertEqual(self.told[2].addresses, (address("bob@example.org"),))


class ElsewhereTests(AliasCase):
    """Aliases of addresses at other servers."""

    def test_a_strangers_mail_goes_on(self) -> None:
        self.assertEqual(self.send("out@example.org"), ["250 2.0.0 Queued"])
        [new] = self.queue.added
        self.assertEqual(self.mail(), ["y@other.example"])
        self.assertRegex(str(new.envelope.sender), RETURN_PATH)
        self.assertEqual(self.field(new, "Delivered-To"), ["out@example.org"])
        self.assertTrue(bytes(new.content).endswith(MESSAGE))
        self.assertEqual((new.destinations, new.share), (("other.example",), PORT_25.peer))

    def test_a_mailbox_here_and_one_elsewhere_are_one_transaction(self) -> None:
        self.assertEqual(self.send("bob@example.org"), ["250 2.0.0 Delivered"])
        [new] = self.queue.added
        self.assertEqual(self.mail(), ["bob@elsewhere.example bob@example.org"])
        self.assertEqual(new.placements, (Placement("bob@example.org"),))
        self.assertTrue(bytes(new.content).startswith(b"Return-Path: <x@remote.example>\r\n"))
        self.assertEqual(bytes(new.content)[new.skip :], b"Delivered-To: bob@example.org\r\n" + MESSAGE)

    def test_a_mailbox_that_is_full(self) -> None:
        """The others get it, and the sender learns who does not."""
        self.queue.full = {"alice@example.org"}
        self.table.table["team@example.org"] = "alice@example.org y@other.example"
        self.assertEqual(self.send("team@example.org"), ["250 2.0.0 Queued"])
        self.assertEqual(self.mail()[0], "y@other.example")
        self.assertEqual(self.queue.added[0].placements, ())
        self.assertIn(b"rfc822;alice@example.org", bytes(self.queue.added[1].content))
        self.queue.added.clear()
        self.assertEqual(
            self.send("alice@example.org", "out@example.org"), ["452 4.2.2 Mailbox full", "250 2.0.0 Queued"]
        )

    def test_plus(self) -> None:
        self.table.table["alice@example.org"] = "alice+old@example.org y@other.example"
        self.send("alice@example.org")
        self.assertEqual(self.mail(), ["y@other.example alice@example.org"])

    def test_who_gets_it_learns_nothing_of_others(self) -> None:
        """A message for each alias, and one for those whom the client named; all in one transaction."""
        self.send(
            "out@example.org",
            "z@third.example",
            "bob@example.org",
            "alice@example.org",
            session=SUBMISSION,
            sender="alice@example.org",
        )
        self.assertEqual(
            self.mail(),
            ["z@third.example alice@example.org", "y@other.example", "bob@elsewhere.example bob@example.org"],
        )
        self.assertEqual(
            [self.field(new, "Delivered-To") for new in self.queue.added],
            [[], ["out@example.org"], ["bob@example.org"]],
        )
        self.assertEqual(len({new.envelope.id for new in self.queue.added}), 1)

    def test_nobody_gets_two_copies(self) -> None:
        self.send("deep@example.org", "out@example.org", "bob@example.org", "info@example.org")
        self.assertEqual(
            sorted(" ".join(self.mail()).split()),
            ["alice@example.org", "bob@elsewhere.example", "bob@example.org", "y@other.example"],
        )

    def test_what_a_client_sends_itself_keeps_its_sender(self) -> None:
        self.table.table["z@third.example"] = "y@other.example"
        self.send("y@other.example", "out@example.org", session=SUBMISSION, sender="alice@example.org")
        [new] = self.queue.added
        self.assertEqual(new.envelope.sender, address("alice@example.org"))

    def test_an_alias_that_is_gone_since_rcpt_makes_no_open_relay(self) -> None:
        envelope = make_envelope(STRANGER, ["victim@remote.example", "out@example.org"], session=PORT_25)
        self.refused(self.delivery.deliver(envelope, Content(MESSAGE)), RelayDenied)
        self.assertEqual(self.queue.added, [])

    def test_all_or_nothing(self) -> None:
        self.queue.error = RecipientUnknown("gone")
        envelope = make_envelope(STRANGER, ["bob@example.org"], session=PORT_25)
        self.refused(self.delivery.deliver(envelope, Content(MESSAGE)), RecipientUnknown)
        self.assertEqual(self.mails("bob@example.org"), 0)

    def test_lmtp_goes_on_too(self) -> None:
        self.assertEqual(self.send("out@example.org", session=LMTP), ["250 2.0.0 Queued"])
        self.assertEqual(self.mail(), ["y@other.example"])

    def test_a_results_destination_is_off(self) -> None:
        self.table.table["info@example.org"] = "x@quiet.example alice@example.org"
        self.assertEqual(self.send("info@example.org"), ["250 2.0.0 Delivered"])
        [new] = self.queue.added
        self.assertIn(b"Final-Recipient: rfc822;x@quiet.example", bytes(new.content))


class SenderTests(AliasCase):
    """Reverse-paths."""

    def sender(self, sender: str, **settings: Any) -> str:
        if settings:
            self.delivery = self.make(**settings)
        self.send("out@example.org", sender=sender)
        return str(self.queue.added.pop().envelope.sender)

    def test_our_own_senders_and_the_null_path_stay(self) -> None:
        for sender in ("", "alice@example.org", "gone@EXAMPLE.org"):
            self.assertEqual(self.sender(sender), sender)

    def test_without_srs_all_stay(self) -> None:
        self.assertEqual(self.sender(STRANGER, srs=None), STRANGER)

    def test_a_bounce_finds_its_way_back(self) -> None:
        rewritten = self.sender(STRANGER)
        for sender in ("", "mailer@other.example"):
            self.assertIsNone(self.settled(self.delivery.recipient(PORT_25, address(rewritten), {})))
            self.assertEqual(self.send(rewritten, sender=sender), ["250 2.0.0 Queued"])
            new = self.queue.added.pop()
            self.assertEqual([str(each.address) for each in new.envelope.recipients], [STRANGER])
            self.assertEqual(bool(new.envelope.sender), bool(sender))

    def test_without_aliases_bounces_are_still_taken(self) -> None:
        rewritten = self.sender(STRANGER)
        self.delivery = self.make(aliases=None)
        self.assertIsNone(self.settled(self.delivery.recipient(PORT_25, address(rewritten), {})))
        self.send(rewritten, sender="")
        self.assertEqual(self.mail(), [STRANGER])

    def test_a_report_of_the_agent_goes_to_the_sender(self) -> None:
        rewritten = address(self.sender(STRANGER))
        report = Report(NULL_PATH, (Recipient(rewritten, {"NOTIFY": "NEVER"}),), Content(MESSAGE), {})
        new = self.settled(self.delivery.prepare(report))
        [recipient] = new.envelope.recipients
        self.assertEqual((str(recipient.address), new.destinations), (STRANGER, ("remote.example",)))
        self.assertEqual(recipient.parameters["NOTIFY"], "NEVER")
        self.assertEqual(self.told[-1], Expanded(new.envelope.id, rewritten, (address(STRANGER),)))

    def test_forged_and_old_ones_are_unknown(self) -> None:
        rewritten = self.sender(STRANGER)
        forged = rewritten.replace("=x@", "=victim@")
        self.refused(self.delivery.recipient(PORT_25, address(forged), {}), RecipientUnknown)
        self.refused(self.delivery.recipient(SUBMISSION, address(forged), {}), RecipientUnknown)
        old = SRS("example.org", SECRET, clock=lambda: NOW + 30 * 86_400)
        self.delivery = self.make(srs=old)
        error = self.refused(self.delivery.recipient(PORT_25, address(rewritten), {}), RecipientUnknown)
        self.assertEqual((error.code, error.enhanced), (550, "5.1.1"))


class LoopTests(AliasCase):
    def back(self, header: bytes, *recipients: str) -> Sequence[str]:
        envelope = make_envelope(STRANGER, recipients, session=PORT_25)
        outcomes = self.settled(self.delivery.deliver(envelope, Content(header + MESSAGE)))
        return [f"{each.code} {each.enhanced}" for each in outcomes]

    def test_what_comes_back(self) -> None:
        self.send("out@example.org")
        content = bytes(self.queue.added.pop().content)
        self.assertEqual(self.back(content[: content.index(b"\n") + 1], "out@example.org"), ["554 5.4.6"])
        for field in (
            b"DELIVERED-TO : <Out@EXAMPLE.org>\r\n",
            b"A: b\r\nDelivered-To: other@example.org\r\nDelivered-To: out@example.org.\r\n",
        ):
            self.assertEqual(self.back(field, "out@example.org"), ["554 5.4.6"])
        self.assertEqual(self.queue.added, [])

    def test_another_one_does_not_come_back(self) -> None:
        for field in (
            b"Delivered-To: other@example.org\r\n",
            b"X-Delivered-To: out@example.org\r\n",
            b"Subject: a\r\n Delivered-To: out@example.org\r\n",
            b"A: b\r\n\r\nDelivered-To: out@example.org\r\n",
        ):
            self.assertEqual(self.back(field, "out@example.org"), ["250 2.0.0"])

    def test_others_get_it(self) -> None:
        """The sender is told of the alias."""
        field = b"Delivered-To: out@example.org\r\n"
        self.assertEqual(self.back(field, "out@example.org", "alice@example.org"), ["554 5.4.6", "250 2.0.0"])
        self.assertEqual(self.mails("alice@example.org"), 1)
        [told] = self.queue.added
        self.assertIn(b"Status: 5.4.6", bytes(told.content))

    def test_mailboxes_here_are_no_loop(self) -> None:
        self.assertEqual(self.back(b"Delivered-To: any@old.example\r\n", "any@old.example"), ["250 2.0.0"])


class NotificationTests(AliasCase):
    """RFC 3461 5.2.7."""

    def parameters(self, recipient: str, **parameters: str) -> dict[str, str | None]:
        self.send(Recipient(address(recipient), parameters))
        return dict(self.queue.added[0].envelope.recipients[0].parameters)

    def reported(self) -> list[str]:
        text = bytes(self.queue.added[-1].content).decode()
        return re.findall(r"(?m)^(?:Final-Recipient: rfc822;|Action: )(.*)\r$", text)

    def test_one_result_stands_for_the_alias(self) -> None:
        self.assertEqual(
            self.parameters("out@example.org", NOTIFY="SUCCESS,FAILURE"),
            {"NOTIFY": "SUCCESS,FAILURE", "ORCPT": "rfc822;out@example.org"},
        )
        self.assertEqual(len(self.queue.added), 1)

    def test_the_first_original_stays(self) -> None:
        found = self.parameters("out@example.org", ORCPT="rfc822;first@remote.example")
        self.assertEqual(found, {"ORCPT": "rfc822;first@remote.example"})

    def test_of_several_results_no_success_is_reported(self) -> None:
        for given, passed in (("SUCCESS", "NEVER"), ("SUCCESS,DELAY", "DELAY")):
            self.assertEqual(
                self.parameters("deep@example.org", NOTIFY=given),
                {"NOTIFY": passed, "ORCPT": "rfc822;deep@example.org"},
            )
            self.assertEqual(self.reported(), ["deep@example.org", "expanded"])
            self.queue.added.clear()

    def test_nobody_asks(self) -> None:
        for notify in ({}, {"NOTIFY": "FAILURE"}, {"NOTIFY": "NEVER"}):
            self.assertEqual(
                self.parameters("deep@example.org", **notify), {**notify, "ORCPT": "rfc822;deep@example.org"}
            )
            self.assertEqual([new for new in self.queue.added if not new.envelope.sender], [])
            self.queue.added.clear()

    def test_the_success_of_one_mailbox_here(self) -> None:
        self.table.table["one@example.org"] = "alice@example.org"
        self.send(Recipient(address("one@example.org"), {"NOTIFY": "SUCCESS"}))
        self.assertEqual(self.reported(), ["alice@example.org", "delivered"])
        self.assertIn(b"Original-Recipient: rfc822;one@example.org", bytes(self.queue.added[0].content))

    def test_the_success_of_a_list_here(self) -> None:
        self.table.table.pop("bob@example.org")
        self.send(Recipient(address("info@example.org"), {"NOTIFY": "SUCCESS"}))
        self.assertEqual(self.reported(), ["info@example.org", "expanded"])

    def test_never_is_never(self) -> None:
        self.send(Recipient(address("partly@example.org"), {"NOTIFY": "NEVER"}))
        self.assertEqual(self.queue.added, [])


class LimitTests(AliasCase):
    TABLE = {
        **{f"{number}@example.org": f"{number + 1}@example.org" for number in range(5)},
        "5@example.org": "alice@example.org",
        "many@example.org": " ".join(f"u{number}@remote.example" for number in range(5)),
        "more@example.org": " ".join(f"v{number}@remote.example" for number in range(5)),
    }

    def test_depth(self) -> None:
        self.delivery = self.make(alias_limits=AliasLimits(depth=6))
        self.assertEqual(self.send("0@example.org"), ["250 2.0.0 Delivered"])
        self.delivery = self.make(alias_limits=AliasLimits(depth=5))
        self.assertEqual(self.send("0@example.org"), ["554 5.4.6 The alias leads to too many others"])
        self.assertEqual(self.send("1@example.org"), ["250 2.0.0 Delivered"])

    def test_addresses(self) -> None:
        self.delivery = self.make(alias_limits=AliasLimits(addresses=5))
        self.assertEqual(self.send("many@example.org"), ["250 2.0.0 Queued"])
        self.delivery = self.make(alias_limits=AliasLimits(addresses=4))
        self.assertEqual(self.send("many@example.org"), ["554 5.5.3 The alias leads to too many addresses"])

    def test_per_message(self) -> None:
        self.delivery = self.make(alias_limits=AliasLimits(per_message=10))
        self.assertEqual(self.send("many@example.org", "more@example.org"), ["250 2.0.0 Queued"] * 2)
        self.delivery = self.make(alias_limits=AliasLimits(per_message=9))
        envelope = make_envelope(STRANGER, ["many@example.org", "more@example.org"], session=PORT_25)
        error = self.refused(self.delivery.deliver(envelope, Content(MESSAGE)), Refused)
        self.assertEqual((error.code, error.enhanced), (554, "5.5.3"))

    def test_lists_of_lists_are_expanded_once(self) -> None:
        """Ten levels of two lists that both name the two of the next level would be 1,024 walks."""
        for level in range(9):
            both = f"l{level + 1}@example.org r{level + 1}@example.org"
            self.table.table[f"l{level}@example.org"] = self.table.table[f"r{level}@example.org"] = both
        self.table.table["l9@example.org"] = self.table.table["r9@example.org"] = "alice@example.org"
        self.send("l0@example.org")
        self.assertEqual(self.mails("alice@example.org"), 1)
        self.assertLess(self.table.asked, 50)


class TurnTests(AliasCase):
    """Others have their turn while a long list is expanded."""

    TABLE = {
        "here@example.org": " ".join(f"alice+{number}@example.org" for number in range(500)),
        "there@example.org": " ".join(f"u{number}@remote.example" for number in range(500)),
        "gone@example.org": " ".join(f"gone{number}@example.org" for number in range(500))
        + " alice@example.org",
    }

    def test_turns(self) -> None:
        turns: list[int] = []

        async def turn() -> None:
            turns.append(self.table.asked)

        self.patch(_expansion, "turn", turn)
        for path in ("here", "there"):
            turns.clear()
            before = self.table.asked
            self.send(f"{path}@example.org")
            gaps = [after - before for before, after in pairwise([before, *turns, self.table.asked])]
            self.assertLessEqual(max(gaps), 3 * _expansion.A_TURN)
        turns.clear()
        self.send(*[f"x{number}@example.org" for number in range(200)])
        self.assertGreaterEqual(len(turns), 4)

    def test_a_report_has_an_end(self) -> None:
        self.send("gone@example.org")
        [told] = self.queue.added
        self.assertEqual(bytes(told.content).count(b"Action: failed"), MAX_FAILED)


class ContractTests(AliasCase):
    def test_any_result(self) -> None:
        async def coroutine(found: Any) -> Any:
            return found

        for wrap in (lambda found: found, coroutine, succeed):
            found = (address("alice@example.org"),)
            self.table.addresses_for = (  # type: ignore[assignment]
                lambda path, is_unknown, wrap=wrap, found=found: wrap(found if path.local == "info" else None)
            )
            self.assertEqual(self.send("info@example.org"), ["250 2.0.0 Delivered"])

    def test_wrong_results(self) -> None:
        for wrong in ([], "alice@example.org", ["alice@example.org"], 5):
            self.table.addresses_for = lambda path, is_unknown, wrong=wrong: wrong  # type: ignore[assignment]
            envelope = make_envelope(STRANGER, ["info@example.org"], session=PORT_25)
            self.failureResultOf(
                Deferred.fromCoroutine(self.delivery.deliver(envelope, Content(MESSAGE))), TypeError
            )

    def test_wrong_arguments(self) -> None:
        for name, value in (("aliases", {}), ("alias_limits", 5), ("srs", "example.org")):
            with self.assertRaisesRegex(TypeError, f"{name} must be"):
                self.make(**{name: value})
