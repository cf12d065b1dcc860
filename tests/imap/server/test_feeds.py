"""The dialogues of this folder again: octet by octet, with octets to spare, and all at once."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from mailproto.testing import FEEDS
from tests.imap.server.dialogue import DialogueTestCase


def again() -> Iterator[tuple[str, type[DialogueTestCase]]]:
    """A class for each one with dialogues, and for each way in which octets may come."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path.name == Path(__file__).name or "self.talk(" not in path.read_text():
            continue
        for tests in vars(import_module(f"tests.imap.server.{path.stem}")).values():
            if not (isinstance(tests, type) and issubclass(tests, DialogueTestCase)):
                continue
            for feed in FEEDS[1:] if tests is not DialogueTestCase else ():
                name = f"{path.stem.removeprefix('test_').title()}{tests.__name__}{feed.title()}"
                yield name, type(name, (tests,), {"feed": feed, "__module__": __name__})


globals().update(again())
