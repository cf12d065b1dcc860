"""The layers hold, and the public names are those that were decided on."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.processes import CHECKOUT

PUBLIC_NAMES = {
    "mailproto.auth": """
        FAILURE_DELAY MAX_REMEMBERED MAX_RESPONSE MAX_WAITING MECHANISMS REMEMBER Challenge
        DirectoryChecker Login PasswordVerifier SASLError ServerMechanism ServerTLS StoreRealm
        TLSFilesError decode_base64 ensure_self_signed hash_password login server_mechanism server_tls
        store_portal
    """,
    "mailproto.delivery": """
        MAX_CACHED TRUST Delivery FunctionDelivery MailboxDelivery accepted canonical_domain
    """,
    "mailproto.service": "MailService Options Settings makeService make_service",
}
"""By module; a name that is added or taken away is a decision, made here too."""


class LayerTests(SynchronousTestCase):
    def test_imports_point_downwards(self) -> None:
        """import-linter, with the contracts in setup.cfg."""
        try:
            importlib.import_module("importlinter")
        except ImportError:
            raise SkipTest("needs import-linter: pip install 'mailproto[dev]'") from None
        program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_plugin_folders_are_no_packages(self) -> None:
        """An ``__init__.py`` there would hide Twisted's own plugins (or Twisted)."""
        self.assertEqual(
            sorted(str(path.relative_to(CHECKOUT)) for path in Path(CHECKOUT, "twisted").rglob("*.py")),
            ["twisted/plugins/mailproto_plugin.py"],
        )


class PublicNameTests(SynchronousTestCase):
    def test_pinned(self) -> None:
        for module_name, names in PUBLIC_NAMES.items():
            with self.subTest(module=module_name):
                module = importlib.import_module(module_name)
                self.assertEqual(sorted(module.__all__), sorted(names.split()))

    def test_there(self) -> None:
        for module_name in PUBLIC_NAMES:
            module = importlib.import_module(module_name)
            for name in module.__all__:
                with self.subTest(module=module_name, name=name):
                    self.assertTrue(hasattr(module, name))

    def test_no_public_package_is_left_out(self) -> None:
        packages = {
            f"mailproto.{path.parent.name}" for path in Path(CHECKOUT, "mailproto").glob("*/__init__.py")
        }
        self.assertLessEqual(packages, set(PUBLIC_NAMES))
