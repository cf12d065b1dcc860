"""Stores by their URL."""

import configparser
import os
import subprocess
import sys
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends import STORES, MemoryStore, SQLiteStore, _open, open_store, store_schemes
from tests.processes import CHECKOUT

PLUGIN = """
from mailproto.backends import MemoryStore

def open_it(url, *, data_folder, reactor):
    if url.endswith("?"):
        raise ValueError("no questions: " + url)
    store = MemoryStore()
    store.opened = (url, data_folder, reactor)
    return store

def fail(url, *, data_folder, reactor):
    raise ZeroDivisionError("a bug\\n\\x1b[31m")

def nothing(url, *, data_folder, reactor):
    return None

number = 1
"""


class OpenStoreTests(SynchronousTestCase):
    """`open_store`."""

    def open(self, url):
        return open_store(url, "data", Clock())  # type: ignore[arg-type]

    def test_memory(self):
        self.assertIsInstance(self.open("memory:"), MemoryStore)

    def test_sqlite_is_in_the_data_folder_or_where_it_is_said_to_be(self):
        for url, path in (
            ("sqlite:", "data/mail/mail.sqlite3"),
            ("sqlite:/srv/mail", "/srv/mail/mail.sqlite3"),
            ("sqlite:/srv/other.sqlite3", "/srv/other.sqlite3"),
        ):
            store = self.open(url)
            self.assertIsInstance(store, SQLiteStore)
            self.assertEqual(store.path, path)
        self.assertFalse(os.path.exists("data"))  # nothing is made before the start

    def test_what_is_unknown_is_named(self):
        for url in ("", "sqlite", "maildir:/x", "memory", "SQLITE:", "postgresql://x", ":", "x\n\x1b:"):
            error = self.assertRaises(ValueError, self.open, url)
            self.assertIn(repr(url), str(error))
            self.assertTrue(str(error).isprintable())
            for scheme in ("sqlite:", "memory:"):
                self.assertIn(scheme, str(error))
        self.assertIn("memory:x", str(self.assertRaises(ValueError, self.open, "memory:x")))

    def test_ours_are_entry_points_too(self):
        setup = configparser.ConfigParser()
        setup.read(CHECKOUT / "setup.cfg")
        lines = setup["options.entry_points"][STORES].split("\n")
        named = dict(line.split(" = ") for line in lines if line)
        self.assertEqual(
            named,
            {scheme: f"{opener.__module__}:{opener.__name__}" for scheme, opener in _open._OURS.items()},
        )
        for scheme in named:
            self.assertIn(scheme, store_schemes())


class PluginTests(SynchronousTestCase):
    """What an installed package brings, by the metadata that installers write."""

    def setUp(self):
        self.site = Path(self.mktemp())
        self.site.mkdir()
        self.path = str(self.site.absolute())
        self.addCleanup(sys.path.remove, self.path)
        sys.path.append(self.path)
        module = f"plugin_{abs(hash(self.id()))}"
        self.addCleanup(sys.modules.pop, module, None)
        (self.site / f"{module}.py").write_text(PLUGIN)
        (self.site / "broken_plugin.py").write_text("import no_such_module_anywhere")
        (self.site / "leaving_plugin.py").write_text("raise SystemExit(3)")
        self.install(
            "good", {"good": f"{module}:open_it", "fails": f"{module}:fail", "empty": f"{module}:nothing"}
        )
        self.install(
            "bad",
            {
                "bad": "broken_plugin:open_it",
                "leaving": "leaving_plugin:open_it",
                "absent": f"{module}:absent",
                "number": f"{module}:number",
                "twice": f"{module}:open_it",
                "sqlite": f"{module}:open_it",
            },
        )
        self.install("other", {"twice": f"{module}:fail"})

    def install(self, name, entry_points):
        info = self.site / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = "".join(f"{key} = {value}\n" for key, value in entry_points.items())
        (info / "entry_points.txt").write_text(f"[{STORES}]\n{lines}")

    def error(self, url):
        text = str(self.assertRaises(ValueError, open_store, url, "data", Clock()))
        self.assertTrue(text.isprintable(), text)
        return text

    def test_a_package_brings_a_store(self):
        clock = Clock()
        for url in ("good:", "good://user:secret@host/x"):
            store = open_store(url, "data", clock)  # type: ignore[arg-type]
            self.assertEqual(store.opened, (url, "data", clock))  # type: ignore[attr-defined]
        self.assertEqual(self.error("good:?"), "no questions: good:?")

    def test_ours_cannot_be_replaced(self):
        self.assertIsInstance(open_store("sqlite:", "data", Clock()), SQLiteStore)  # type: ignore[arg-type]

    def test_all_are_named_when_one_is_unknown(self):
        for scheme in ("bad:", "good:", "memory:", "sqlite:"):
            self.assertIn(scheme, self.error("unknown:"))

    def test_a_package_that_is_broken_is_told_of_when_it_is_asked_for(self):
        for url, *expected in (
            ("bad:", "bad", "broken_plugin:open_it", "ModuleNotFoundError", "no_such_module_anywhere"),
            ("leaving:", "leaving_plugin", "SystemExit"),
            ("absent:", "AttributeError"),
            ("number:", "no function"),
            ("twice:x", "several packages", "open_it", "fail"),
            ("fails://user:secret@host", "good", "ZeroDivisionError: a bug"),
            ("empty:", "gave no store"),
        ):
            text = self.error(url)
            for part in expected:
                self.assertIn(part, text)
            self.assertNotIn("secret", text)

    def test_metadata_that_cannot_be_read_harms_no_other(self):
        for number, octets in enumerate(
            (b"\xff\xfe", b"no section\n", f"[{STORES}]\nno value\n[\n".encode())
        ):
            info = self.site / f"unreadable{number}-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_bytes(b"\xff" if number else b"Name: x\n")
            (info / "entry_points.txt").write_bytes(octets)
        open_store("good:", "data", Clock())  # type: ignore[arg-type]
        self.assertIn("good:", self.error("unknown:"))

    def test_the_server_says_it_in_one_line(self):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(CHECKOUT), self.path])}
        for url, expected in (("bad:", "cannot be loaded"), ("nothing:", "good:")):
            program = "import sys; from mailproto.service._command import main; main(sys.argv[1:])"
            command = [sys.executable, "-c", program, "user", "list", "--store", url]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            [line] = done.stderr.splitlines()
            self.assertIn(expected, line)
