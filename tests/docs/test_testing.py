"""Every example of docs/testing.md runs, as a reader would save it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.processes import CHECKOUT

PAGE = Path(CHECKOUT, "docs", "testing.md").read_text()
EXAMPLES = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", PAGE, re.M | re.S))


class TestingPageTests(SynchronousTestCase):
    def run_examples(self, names: list[str], *program: str, needs: str) -> str:
        if find_spec(needs) is None:
            raise SkipTest(f"needs {needs}: pip install 'mailproto[test]'")
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        for name in names:
            (folder / name).write_text(EXAMPLES[name])
        done = subprocess.run(
            [sys.executable, *program], cwd=folder, capture_output=True, text=True, timeout=120, check=False
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_no_block_is_without_a_name(self) -> None:
        self.assertEqual(len(EXAMPLES), PAGE.count("```python\n"))
        self.assertEqual(PAGE.count("```") % 2, 0)

    def test_with_pytest(self) -> None:
        """Also what is written for unittest and trial."""
        tests = sorted(name for name in EXAMPLES if name.startswith("test_"))
        self.assertEqual(len(tests), 10)
        # Those that need nothing but pytest are also run alone, as most people have them.
        plain = [name for name in tests if "twisted.trial" not in EXAMPLES[name]]
        for names in (tests, plain):
            shown = self.run_examples(names, "-m", "pytest", "-v", *names, needs="pytest")
            for name in names:
                self.assertIn(f"{name}::", shown)

    def test_with_trial(self) -> None:
        tests = sorted(name for name, text in EXAMPLES.items() if "twisted.trial" in text)
        modules = [name.removesuffix(".py") for name in tests]
        self.assertEqual(len(modules), 6)
        shown = self.run_examples(tests, "-m", "twisted.trial", *modules, needs="twisted")
        self.assertRegex(shown, r"PASSED \(.*successes=[1-9]")

    def test_with_asyncio(self) -> None:
        self.run_examples(["with_asyncio.py"], "with_asyncio.py", needs="aiosmtplib")

    def test_links_lead_somewhere(self) -> None:
        headings = re.findall(r"^#+ (.*)$", PAGE, re.M)
        anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        links = re.findall(r"\]\(#([^)]*)\)", PAGE)
        self.assertGreater(len(links), 4)
        self.assertLessEqual(set(links), anchors)
