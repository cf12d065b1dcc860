from __future__ import annotations

import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth.signing_in import ensure_secret


class SecretTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def test_it_outlives_the_process(self) -> None:
        secret = ensure_secret(self.folder)
        self.assertEqual(len(secret), 32)
        self.assertEqual(ensure_secret(self.folder), secret)

    def test_nobody_else_reads_it(self) -> None:
        ensure_secret(self.folder)
        [file] = self.folder.iterdir()
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)

    def test_half_of_one_is_made_anew(self) -> None:
        secret = ensure_secret(self.folder)
        (self.folder / "secret").write_bytes(secret[:5])
        self.assertNotEqual(ensure_secret(self.folder)[:5], secret[:5])
