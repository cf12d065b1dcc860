"""What ``mailproto send`` knows of the server's routes."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailproto.service._remembered_routes import remember_routes, remembered_routes


class RememberedRoutesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def test_no_server_has_run(self) -> None:
        self.assertEqual(remembered_routes(self.folder).key("a.example"), "a.example")
        self.assertEqual(str(remembered_routes(self.folder / "nowhere")), "mx")

    def test_the_same_routes(self) -> None:
        url = "smtp://[::1]:25?tls=none"
        remember_routes(self.folder, "off", {"a.example": url, "*.b\u00fccher.example": "mx"})
        routes = remembered_routes(self.folder)
        self.assertEqual(routes.key("a.example"), url)
        self.assertIsNone(routes.next_hop("c.example"))
        self.assertEqual(str(routes.next_hop("x.xn--bcher-kva.example")), "mx")

    def test_it_is_written_when_it_changes(self) -> None:
        remember_routes(self.folder, "mx", {})
        first = (self.folder / "routes").stat().st_ino
        remember_routes(self.folder, "mx", {})
        self.assertEqual((self.folder / "routes").stat().st_ino, first)
        remember_routes(self.folder, "off", {})
        self.assertTrue(remembered_routes(self.folder).sends_nothing)

    def test_a_file_that_somebody_has_changed(self) -> None:
        for octets in (b"", b"somewhere\n", b"mx\na.example\n", b"mx\n=off\n"):
            (self.folder / "routes").write_bytes(octets)
            error = self.assertRaises(ValueError, remembered_routes, self.folder)
            self.assertIn(str(self.folder / "routes"), str(error))
