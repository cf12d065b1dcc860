"""What is installed is whole: the packages, the plugin that ``twistd`` finds, the command."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

from twisted.trial.unittest import SkipTest, TestCase

from mailproto import __version__
from tests.processes import CHECKOUT

SOURCES = ("mailproto", "twisted", "pyproject.toml", "setup.cfg", "README.md", "LICENSE")
WHERE = (
    "import mailproto, twisted.plugins.mailproto_plugin as plugin; print(mailproto.__file__, plugin.__file__)"
)
TWISTD = "from twisted.scripts.twistd import run; run()"


def has(module: str, version: tuple[int, ...] = (0,)) -> bool:
    """Whether a module is there, in that version at least."""
    if importlib.util.find_spec(module) is None:
        return False
    there = importlib.metadata.version(module).split(".")
    return tuple(int(part) for part in there[: len(version)] if part.isdigit()) >= version


class InstallationTests(TestCase):
    def setUp(self) -> None:
        for tool in ("pip", "build"):
            if not has(tool):
                raise SkipTest(f"needs {tool}: pip install 'mailproto[test]'")
        self.folder = Path(tempfile.mkdtemp()).resolve()
        self.addCleanup(shutil.rmtree, self.folder)
        self.source = self.folder / "source"
        self.source.mkdir()
        unwanted = shutil.ignore_patterns("__pycache__", "dropin.cache")
        for name in SOURCES:
            if (CHECKOUT / name).is_dir():
                shutil.copytree(CHECKOUT / name, self.source / name, ignore=unwanted)
            else:
                shutil.copy(CHECKOUT / name, self.source)
        # Without an environment of its own a build is quick and needs no network.
        self.in_place = has("setuptools", (68,)) and has("wheel")

    def run_python(self, python: Path | str, *arguments: str) -> str:
        """What a program prints, started away from every source."""
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [str(python), *arguments],
            cwd=elsewhere,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def wheel(self) -> Path:
        isolation = ["--no-isolation"] if self.in_place else []
        arguments = ["-m", "build", "--wheel", *isolation, "--outdir", str(self.folder), str(self.source)]
        self.run_python(sys.executable, *arguments)
        [wheel] = self.folder.glob("*.whl")
        return wheel

    def environment(self, *what: str) -> Path:
        """The interpreter of a new environment in which ``what`` is installed.

        What that depends on comes from the environment of the tests, behind its own.
        """
        folder = self.folder / "environment"
        venv.create(folder, symlinks=True)
        python = folder / "bin" / "python"
        [own] = folder.glob("lib/python*/site-packages")
        (own / "zz-dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        isolation = ["--no-build-isolation"] if self.in_place else []
        pip = ["-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(python)]
        # The environment of the tests may have it installed, too: that one does not count.
        how = ["install", "--no-deps", "--ignore-installed", *isolation]
        self.run_python(sys.executable, *pip, *how, *what)
        return python

    def assert_works(self, python: Path, home: Path) -> None:
        module, plugin = self.run_python(python, "-c", WHERE).split()
        self.assertEqual(Path(module), home / "mailproto" / "__init__.py")
        self.assertEqual(Path(plugin), home / "twisted" / "plugins" / "mailproto_plugin.py")
        helped = self.run_python(python, "-c", TWISTD, "--help")
        self.assertRegex(helped, r"(?m)^ +mailproto +A mail server")
        self.assertIn("--max-message-size", self.run_python(python, "-c", TWISTD, "mailproto", "--help"))
        command = python.parent / "mailproto"
        self.assertEqual(self.run_python(python, str(command), "--version"), f"{__version__}\n")

    def test_wheel(self) -> None:
        wheel = self.wheel()
        names = set(zipfile.ZipFile(wheel).namelist())
        for name in (
            "mailproto/py.typed",
            "mailproto/imap/wire/__init__.py",
            "twisted/plugins/mailproto_plugin.py",
        ):
            self.assertIn(name, names)
        tops = {name.partition("/")[0] for name in names}
        self.assertEqual(tops, {"mailproto", "twisted", f"mailproto-{__version__}.dist-info"})
        entry_points = zipfile.ZipFile(wheel).read(f"mailproto-{__version__}.dist-info/entry_points.txt")
        self.assertIn(b"[pytest11]\nmailproto = mailproto.testing._pytest\n", entry_points)
        self.assertNotIn("twisted/__init__.py", names)
        self.assertNotIn("twisted/plugins/__init__.py", names)
        python = self.environment(str(wheel))
        [home] = (self.folder / "environment").glob("lib/python*/site-packages")
        self.assert_works(python, home)

    def test_editable(self) -> None:
        python = self.environment("--editable", str(self.source))
        self.assert_works(python, self.source)


def package(requirement: str) -> str:
    """The name of the package, as an index has it, without extras."""
    return re.split(r"[\[ >=;]", requirement)[0].lower().replace("_", "-")


class OldestVersionsTests(TestCase):
    def test_each_lower_bound_is_tested_in_ci(self) -> None:
        """Security rests on some of them: what setup.cfg allows is what `.ci/run` installs."""
        shown = subprocess.run(
            ["bash", ".ci/run", "--show-oldest"], cwd=CHECKOUT, capture_output=True, text=True, check=True
        ).stdout
        required = importlib.metadata.requires("mailproto") or []
        bounds = {package(line): line for line in required}
        pins = {package(line): line.partition(" == ")[2] for line in shown.splitlines()}
        self.assertEqual(
            sorted(pins), sorted(name for name, line in bounds.items() if "extra ==" not in line), shown
        )
        for name, pin in pins.items():
            self.assertTrue(bounds[name].endswith(f">={pin.removesuffix('.*')}"), (name, pin))

    def test_what_twisted_needs_for_tls_is_named_in_its_way(self) -> None:
        required = importlib.metadata.requires("mailproto") or []
        self.assertEqual(sum(line.startswith("twisted[tls]>=") for line in required), 1)
