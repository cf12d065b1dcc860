"""The programs in ``benchmarks/`` and ``fuzz/``: found by what is there, so that none can be forgotten.

``.ci/run`` runs them all, ``--quick`` or for some seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from twisted.trial import unittest

ROOT = Path(__file__).parent.parent
PROGRAMS = sorted([*ROOT.glob("benchmarks/*.py"), *ROOT.glob("fuzz/*.py")])


def python(*arguments: object, folder: str = ".") -> subprocess.CompletedProcess[str]:
    """Run Python to its end."""
    command = [sys.executable, *map(str, arguments)]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=120)


class ProgramTests(unittest.TestCase):
    def test_help_says_what_a_program_does_and_how_to_try_it(self) -> None:
        self.assertGreater(len(PROGRAMS), 8)
        folder = self.mktemp()
        os.mkdir(folder)
        with ThreadPoolExecutor(2) as pool:
            results = pool.map(lambda program: python(program, "--help", folder=folder), PROGRAMS)
            for program, done in zip(PROGRAMS, results, strict=True):
                what = f"{program.name} --help: {done.stdout}{done.stderr}"
                self.assertEqual(done.returncode, 0, what)
                self.assertIn("usage:", done.stdout, what)
                self.assertIn("--quick" if program.parent.name == "benchmarks" else "--seconds", done.stdout)
                docstring = program.read_text().partition('"""')[2].partition("\n")[0].rstrip('"')
                self.assertIn(docstring, done.stdout, what)
                self.assertNotIn("Traceback", done.stderr, what)
        self.assertEqual(os.listdir(folder), [], "help leaves nothing")

    def test_what_is_no_program_lies_in_parts(self) -> None:
        for program in PROGRAMS:
            self.assertIn('if __name__ == "__main__":\n', program.read_text(), program)


class BenchmarkPartsTests(unittest.TestCase):
    """``benchmarks/_parts``: an answer that is wrong, something missing, and numbers."""

    def run_program(self, body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = Path(self.mktemp())
        program.write_text(
            f"import sys\nsys.path[0] = {str(ROOT / 'benchmarks')!r}\n"
            "from _parts.processes import *\nfrom _parts.program import *\n"
            f"def main():\n{textwrap.indent(textwrap.dedent(body), '    ')}\nrun(main)\n"
        )
        return python(program, *arguments)

    def test_a_wrong_answer_is_a_line_and_status_1(self) -> None:
        done = self.run_program("expect('messages', 3, 4)")
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.endswith("wrong answer: messages: 3 instead of 4\n"), done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_a_missing_program_is_a_line_and_status_2(self) -> None:
        done = self.run_program("needed_tool('no-such-tool', 'its-package')")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no-such-tool is missing: needs the package its-package", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)

    def test_a_missing_peer_is_a_line_and_left_out(self) -> None:
        done = self.run_program("print(optional_module('no_such_module'), optional_module('email'))")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(
            done.stdout,
            "no_such_module is left out: needs the package no_such_module (pip install no_such_module)\n"
            "False True\n",
        )

    def test_without_the_project_a_line_says_so(self) -> None:
        done = python("-E", "-S", ROOT / "benchmarks" / "imap_wire.py", "--help", folder="/")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn("needs the package mailproto", done.stderr)

    def test_quick_makes_each_number_small_that_is_not_given(self) -> None:
        body = """
        options = Options("What it is")
        options.add_number("rounds", 5, quick=1, help="how often")
        options.add_number("messages", 1000, quick=10, help="how many")
        given = options.parse()
        print(given.rounds, given.messages)
        """
        for arguments, expected in (
            ((), "5 1000"),
            (("--quick",), "1 10"),
            (("--quick", "--rounds", "3"), "3 10"),
            (("--messages", "7"), "5 7"),
        ):
            self.assertEqual(self.run_program(body, *arguments).stdout.strip(), expected, arguments)
        for wrong in ("0", "-1", "many"):
            done = self.run_program(body, f"--messages={wrong}")
            self.assertEqual((done.returncode, "Traceback" in done.stderr), (2, False), done.stderr)

    def test_a_server_that_ends_is_a_wrong_answer_with_its_last_words(self) -> None:
        done = self.run_program(
            """
            command = [sys.executable, "-c", "import sys; print('no store'); sys.exit(3)"]
            with running("the server", command, free_port()):
                print("it runs")
            """
        )
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("wrong answer: the server ended with 3\n    no store\n", done.stderr)

    def test_a_server_ends_with_its_block_and_its_log_is_not_in_the_table(self) -> None:
        server = (
            "import socket, sys; server = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
            "print('a line of the log', flush=True)\n"
            "while True: server.accept()[0].sendall(b'220 hello')"
        )
        done = self.run_program(
            f"""
            port = free_port()
            with running("the server", [sys.executable, "-c", {server!r}, str(port)], port) as server:
                Table("a row", "a figure").row("ours", "1")
                pid = server.pid
            print(server.process.returncode, server.output)
            """
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        words = " ".join(done.stdout.split())
        self.assertEqual(words, "a row a figure ours 1 -15 a line of the log")
        self.assertEqual(done.stderr, "")


class FuzzPartsTests(unittest.TestCase):
    """``fuzz/_parts``, without atheris: inputs at random."""

    def run_target(self, body: str, *arguments: str) -> tuple[subprocess.CompletedProcess[str], Path]:
        folder = Path(self.mktemp())
        folder.mkdir()
        target = folder / "target.py"
        target.write_text(
            f"import sys\nsys.path[0] = {str(ROOT / 'fuzz')!r}\nfrom _parts.fuzzing import run\n"
            f"def one_input(octets):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"
            "run('What it is', one_input, [b'abcdef', b'012345'])\n"
        )
        return python("target.py", "--plain", "--seconds", "1", *arguments, folder=str(folder)), folder

    def test_inputs_that_fail_are_kept_and_can_be_run_again(self) -> None:
        body = "assert b'a' not in octets or b'0' not in octets"
        done, folder = self.run_target(body)
        self.assertEqual(done.returncode, 1)
        [crash] = folder.glob("crash-*")
        self.assertIn(f"the input is in {crash.name}", done.stderr)
        again = python("target.py", "--plain", crash.name, folder=str(folder))
        self.assertEqual(again.returncode, 1)
        self.assertIn("AssertionError", again.stderr)

    def test_what_is_logged_as_an_error_fails(self) -> None:
        done, _ = self.run_target(
            """
            from twisted.logger import Logger
            Logger().error("while it ran")
            """
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("while it ran", done.stderr)

    def test_inputs_that_do_not_fail(self) -> None:
        done, folder = self.run_target("pass")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^[\d,]+ inputs at random, and none failed")
        self.assertEqual([path.name for path in folder.iterdir()], ["target.py"])
