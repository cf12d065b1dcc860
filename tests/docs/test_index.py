"""Every page is in the index, every link leads somewhere, and every name is one that exists."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.processes import CHECKOUT

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
EXAMPLES = sorted((CHECKOUT / "examples").glob("*.*"))


def prose(page: Path) -> str:
    """The text without its programs."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """Those that GitHub gives to the headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def exists(name: str) -> bool:
    """Whether ``mailproto.a.b.C.d`` is a module, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


class IndexTests(SynchronousTestCase):
    def test_every_page_is_in_it(self) -> None:
        index = (CHECKOUT / "docs" / "README.md").read_text()
        for page in PAGES[1:]:
            if page.name != "README.md":
                self.assertIn(f"]({page.name})", index)

    def test_links_lead_somewhere(self) -> None:
        number = 0
        for page in PAGES:
            for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
                if link.startswith("http"):
                    continue
                number += 1
                path, _, anchor = link.partition("#")
                target = (page.parent / path) if path else page
                self.assertTrue(target.exists(), f"{page.name}: {link}")
                if anchor:
                    self.assertIn(anchor, anchors(target), f"{page.name}: {link}")
        self.assertGreater(number, 60)

    def test_names_exist(self) -> None:
        number = 0
        for page in PAGES:
            for name in re.findall(r"`(mailproto\.[a-z]\w*(?:\.\w+)*)", prose(page)):
                if name == "mailproto.stores":  # a group of entry points
                    continue
                number += 1
                self.assertTrue(exists(name), f"{page.name}: {name}")
        self.assertGreater(number, 20)

    def test_every_example_is_on_a_page(self) -> None:
        """Whole, as a reader would copy it."""
        pages = "".join(page.read_text() for page in PAGES)
        for example in EXAMPLES:
            self.assertIn(f"```python\n{example.read_text()}```\n", pages, example.name)
