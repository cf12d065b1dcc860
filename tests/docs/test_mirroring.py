"""The examples of ``docs/mirroring.md`` do what the page says, with our own server."""

from __future__ import annotations

import shlex
from typing import Any

from mailproto.imap.client._client import IMAPClient
from mailproto.service import _command
from mailproto.service._migrate_list import migrations
from tests.docs.pages import Page
from tests.mirroring.sides import MirrorTestCase, contents


class MirroringPageTests(MirrorTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.examples: dict[str, Any] = {}
        self.blocks = Page("mirroring.md").blocks
        for language, text in self.blocks:
            if language == "python":
                exec(compile(text, "example", "exec", dont_inherit=True), self.examples)
        # The clock of the tests, where an application leaves it out.
        for name in ("mirror", "mirror_account", "compare_accounts"):
            self.examples[name] = self.with_clock(self.examples[name])

    def with_clock(self, function: Any) -> Any:
        return lambda *arguments, **options: function(*arguments, clock=self.clock, **options)

    def test_one_mailbox(self) -> None:
        client = self.link.client

        class Opened:
            @staticmethod
            async def open(reactor: object, server: Any) -> IMAPClient:
                assert (server.host, server.tls) == ("mail.example", "implicit")
                return client  # type: ignore[no-any-return]

        self.examples["IMAPClient"] = Opened
        self.put(self.inbox, "one", "\\Seen")
        run = self.examples["mirror_inbox"](None, "mail.example", self.other_account, self.state)
        self.assertEqual(self.link.result(run), (1, 0, 0))
        self.assertEqual(contents(self.local), contents(self.inbox))

    def test_an_account(self) -> None:
        self.put(self.local, "back")
        run = self.examples["mirror_everything"](self.link.client, self.other_account, self.state)
        self.assertEqual(self.link.result(run), ([], True))
        self.assertEqual(contents(self.inbox), contents(self.local))

    def test_the_commands_and_the_list(self) -> None:
        for language, text in self.blocks:
            if language == "sh":
                for line in text.splitlines():
                    program, *arguments = shlex.split(line)
                    self.assertEqual(program, "mailproto")
                    _command._parser().parse_args(arguments)
            elif language == "csv":
                first, second = migrations(text)
                self.assertEqual(first.passwords[0].password, "his, password")  # type: ignore[union-attr]
                self.assertEqual(second.passwords[1].password, "other secret")  # type: ignore[union-attr]
