"""The examples and the tables of docs/observing.md."""

from __future__ import annotations

import re
import typing
from dataclasses import fields, is_dataclass
from typing import Any

from twisted.application.service import IServiceCollection
from twisted.trial.unittest import TestCase

from mailproto.observing import IObserver, Observer
from tests.docs.pages import FOLDER, Page

TEXT = (FOLDER / "observing.md").read_text()


def names_of(event: Any) -> list[str]:
    return [field.name for field in fields(event)] if is_dataclass(event) else list(event._fields)


class ObservingTests(TestCase):
    async def test_examples(self) -> None:
        page = Page("observing.md")
        await page.run()
        self.assertEqual(page.dialogues, 2)
        [service] = list(IServiceCollection(page.names["application"]))  # type: ignore[call-overload]
        observer = service.getServiceNamed("servers").observers.observers[0]
        self.assertIsInstance(observer, page.names["Audit"])

    def test_table(self) -> None:
        """It has each method, and the event's fields."""
        rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|([^|]*)\|$", TEXT, re.M)
        self.assertEqual(sorted(name for name, _, _ in rows), sorted(IObserver.names()))
        for name, description, shown in rows:
            event = typing.get_type_hints(getattr(Observer, name))["event"]
            with self.subTest(name):
                given = re.findall(r"`(\w+)`", shown)
                shared = [] if "has no client" in description else ["client"]
                self.assertEqual(sorted([*shared, *given]), sorted(names_of(event)))
