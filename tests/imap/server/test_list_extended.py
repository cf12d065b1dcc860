"""LIST-EXTENDED (RFC 5258), LIST-STATUS (RFC 5819), SPECIAL-USE (RFC 6154): the examples of their RFCs."""

from __future__ import annotations

from mailproto.model import SEEN
from tests.imap.server.dialogue import message, run
from tests.imap.server.test_mailboxes import MailboxTestCase


class ExtendedTestCase(MailboxTestCase):
    def setUp(self) -> None:
        super().setUp()
        for name in ("Fruit/Apple", "Fruit/Banana", "Tofu", "Vegetable/Broccoli", "Vegetable/Corn"):
            run(self.account.create(name))


class SubscriptionTests(ExtendedTestCase):
    """RFC 5258 5: the mailboxes Fruit/Peach, Vegetable and Vegetable/Broccoli are subscribed."""

    def setUp(self) -> None:
        super().setUp()
        run(self.account.create("Fruit/Peach"))
        for name in ("Fruit/Banana", "Fruit/Peach", "Vegetable", "Vegetable/Broccoli"):
            run(self.account.subscribe(name))
        run(self.account.delete("Fruit/Peach"))

    def test_what_is_subscribed(self) -> None:
        self.talk(
            """
            C: A02 LIST (SUBSCRIBED) "" "*"
            S: * LIST (\\HasNoChildren \\Subscribed) "/" Fruit/Banana
            S: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" Fruit/Peach
            S: * LIST (\\HasNoChildren \\Subscribed) "/" INBOX
            S: * LIST (\\HasChildren \\Subscribed) "/" Vegetable
            S: * LIST (\\HasNoChildren \\Subscribed) "/" Vegetable/Broccoli
            S: A02 OK LIST completed
            C: A03 LIST () "" "%" RETURN (CHILDREN)
            S: * LIST (\\HasChildren) "/" Fruit
            S: * LIST (\\HasNoChildren) "/" INBOX
            S: * LIST (\\HasNoChildren) "/" Tofu
            S: * LIST (\\HasChildren) "/" Vegetable
            S: A03 OK LIST completed
            C: A04 LIST (REMOTE) "" "%" RETURN (CHILDREN)
            S*: * LIST ...
            S: A04 OK LIST completed
            C: A05 LIST (REMOTE SUBSCRIBED) "" "*"
            S*: * LIST ...
            S: A05 OK LIST completed
            C: A06 LIST "" T* RETURN (SUBSCRIBED)
            S: * LIST (\\HasNoChildren) "/" Tofu
            S: A06 OK LIST completed
            """
        )

    def test_what_has_subscribed_inferiors(self) -> None:
        self.talk(
            """
            C: C01 LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"
            S: * LIST (\\HasChildren) "/" Fruit ("CHILDINFO" ("SUBSCRIBED"))
            S: * LIST (\\HasNoChildren \\Subscribed) "/" INBOX
            S: * LIST (\\HasChildren \\Subscribed) "/" Vegetable ("CHILDINFO" ("SUBSCRIBED"))
            S: C01 OK LIST completed
            C: C02 LIST (RECURSIVEMATCH SUBSCRIBED) "" "*"
            S: * LIST (\\HasNoChildren \\Subscribed) "/" Fruit/Banana
            S: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" Fruit/Peach
            S: * LIST (\\HasNoChildren \\Subscribed) "/" INBOX
            S: * LIST (\\HasChildren \\Subscribed) "/" Vegetable ("CHILDINFO" ("SUBSCRIBED"))
            S: * LIST (\\HasNoChildren \\Subscribed) "/" Vegetable/Broccoli
            S: C02 OK LIST completed
            """
        )

    def test_patterns_that_match_a_part_of_the_inferiors(self) -> None:
        """A name is only left out if it would tell nothing new (3.5)."""
        self.talk(
            """
            C: a LIST (SUBSCRIBED RECURSIVEMATCH) "" (Fruit Fruit/Banana Fruit/Peach)
            S: * LIST (\\HasNoChildren \\Subscribed) "/" Fruit/Banana
            S: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" Fruit/Peach
            S: a OK LIST completed
            C: b LIST (SUBSCRIBED RECURSIVEMATCH) "" (Fruit Fruit/Banana)
            S: * LIST (\\HasChildren) "/" Fruit ("CHILDINFO" ("SUBSCRIBED"))
            S: * LIST (\\HasNoChildren \\Subscribed) "/" Fruit/Banana
            S: b OK LIST completed
            """
        )

    def test_patterns_are_listed_once(self) -> None:
        self.talk(
            """
            C: a LIST "" ("INBOX" "Tofu" "*fu" Nothing "&'+,-%")
            S: * LIST (\\HasNoChildren) "/" INBOX
            S: * LIST (\\HasNoChildren) "/" Tofu
            S: a OK LIST completed
            C: b LIST () "" ""
            S: b OK LIST completed
            C: c LIST "" ("")
            S: c OK LIST completed
            C: d LIST "" "" RETURN ()
            S: d OK LIST completed
            C: e LIST "" ()
            S: e BAD ...
            """
        )

    def test_what_is_wrong(self) -> None:
        self.talk(
            """
            C: a LIST (NONE) "" %
            S: a BAD Unknown selection option
            C: b LIST (RECURSIVEMATCH) "" %
            S: b BAD RECURSIVEMATCH needs SUBSCRIBED
            C: c LIST (RECURSIVEMATCH REMOTE) "" %
            S: c BAD RECURSIVEMATCH needs SUBSCRIBED
            C: d LIST "" % RETURN (NONE)
            S: d BAD Unknown return option
            C: e LIST "" % RETURN
            S: e BAD ...
            C: f LIST "" (% *
            S: f BAD ...
            """
        )


class StatusTests(ExtendedTestCase):
    def test_the_status_of_what_is_chosen(self) -> None:
        self.inbox.add(message(), [SEEN], 0)
        run(self.account.subscribe("Fruit/Apple"))
        run(self.account.delete("Vegetable"))
        self.talk(
            """
            C: a LIST "" (INBOX V%) RETURN (STATUS (MESSAGES UNSEEN))
            S: * LIST (\\HasNoChildren) "/" INBOX
            S: * LIST (\\Noselect \\HasChildren) "/" Vegetable
            S: * STATUS INBOX (MESSAGES 1 UNSEEN 0)
            S: a OK LIST completed
            C: b LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (STATUS (MESSAGES))
            S: * LIST (\\HasChildren) "/" Fruit ("CHILDINFO" ("SUBSCRIBED"))
            S: * LIST (\\HasNoChildren \\Subscribed) "/" INBOX
            S: * STATUS INBOX (MESSAGES 1)
            S: b OK LIST completed
            C: c LIST "" % RETURN (STATUS (NONE))
            S: c BAD Unknown status item
            C: d LIST "" % RETURN (STATUS ())
            S: d BAD ...
            """
        )


class SpecialUseTests(ExtendedTestCase):
    def test_uses(self) -> None:
        """RFC 6154 5."""
        self.talk(
            """
            C: a CREATE MySpecial (USE (\\Drafts))
            S: a OK [MAILBOXID ...] CREATE completed
            C: b CREATE Everything (USE (\\Sent \\Drafts))
            S: b NO [USEATTR] ...
            C: c CREATE Everything (USE (\\All))
            S: c NO [USEATTR] ...
            C: d CREATE Plain (USE ())
            S: d OK [MAILBOXID ...] CREATE completed
            C: e CREATE Fruit/Junk (USE (\\junk))
            S: e OK [MAILBOXID ...] CREATE completed
            C: f LIST "" "%" RETURN (SPECIAL-USE)
            S: * LIST (\\HasChildren) "/" Fruit
            S: * LIST (\\HasNoChildren) "/" INBOX
            S: * LIST (\\HasNoChildren \\Drafts) "/" MySpecial
            S: * LIST (\\HasNoChildren) "/" Plain
            S: * LIST (\\HasNoChildren) "/" Tofu
            S: * LIST (\\HasChildren) "/" Vegetable
            S: f OK LIST completed
            C: g LIST (SPECIAL-USE RECURSIVEMATCH) "" "%"
            S: * LIST (\\HasChildren) "/" Fruit ("CHILDINFO" ("SPECIAL-USE"))
            S: * LIST (\\HasNoChildren \\Drafts) "/" MySpecial
            S: g OK LIST completed
            C: h RENAME MySpecial Renamed
            S: h OK RENAME completed
            C: i LIST (SPECIAL-USE) "" "*"
            S: * LIST (\\HasNoChildren \\Junk) "/" Fruit/Junk
            S: * LIST (\\HasNoChildren \\Drafts) "/" Renamed
            S: i OK LIST completed
            C: j CREATE x (USE (Sent))
            S: j BAD ...
            C: k CREATE x (COLOUR red)
            S: k BAD Unknown parameter
            """
        )
