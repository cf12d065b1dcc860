"""The server as ``twistd`` runs it in the background: its start, its signals, its users and its end."""

from __future__ import annotations

import contextlib
import grp
import imaplib
import os
import pwd
import re
import shlex
import shutil
import signal
import smtplib
import socket
import sqlite3
import ssl
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from mailproto.tls import ensure_self_signed
from tests.processes import CHECKOUT
from tests.service.test_process import untrusting
from tests.tls.certificates import make_certificate, write_pair

TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
TWIST = [sys.executable, "-c", "from twisted.application.twist._twist import Twist; Twist.main()"]
PEM = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
ANY = "tcp:0:interface=127.0.0.1"
PATIENCE = 60
"""Seconds for anything that is waited for."""

ACCOUNT = ("--account", "alice@localhost:secret")


class DaemonCase(SynchronousTestCase):
    """A folder of its own, which any user may reach, and the daemons that a test started in it."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mailproto-test-"))
        self.folder.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(self.end)

    def end(self) -> None:
        """End the daemon, if it runs."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid = int((self.folder / "pid").read_text())
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            self.wait_for(lambda: not is_running(pid))

    def run_program(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def twistd(self, *options: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """What is said by the process that is started; the daemon has ``pid`` and ``log``."""
        return self.run_program(*TWISTD, "--pidfile=pid", "--logfile=log", *before, *options)

    def start(self, *options: str, before: tuple[str, ...] = ()) -> int:
        """Start the daemon; the number of its process."""
        done = self.twistd(*options, before=before)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""), self.log())
        return int((self.folder / "pid").read_text())

    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text() if file.exists() else ""

    def wait_for(self, condition: Callable[[], object], what: str = "") -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain {what}:\n{self.log()}")
            time.sleep(0.02)

    def wait_for_log(self, pattern: str) -> re.Match[str]:
        self.wait_for(lambda: re.search(pattern, self.log()), f"for {pattern!r}")
        found = re.search(pattern, self.log())
        assert found is not None
        return found

    def port(self, name: str) -> int:
        return int(self.wait_for_log(rf"mailproto: {name} on [^\n]*:(\d+)\n")[1])


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


class StartTests(DaemonCase):
    def test_started_when_it_is_ready(self) -> None:
        pid = self.start("mailproto", *ACCOUNT, "--imap", ANY)
        self.assertIn("mailproto is ready", self.log())
        with imaplib.IMAP4("127.0.0.1", self.port("imap")) as client:
            client.login("alice@localhost", "secret")
        os.kill(pid, signal.SIGTERM)
        self.wait_for(lambda: not is_running(pid))
        self.assertFalse((self.folder / "pid").exists())
        self.assertIn("Server Shut Down", self.log())

    def failures(self) -> list[tuple[list[str], str]]:
        """Options, and what the one line begins with."""
        folder = self.folder
        good = make_certificate()
        pair = write_pair(folder, "good", good)
        (folder / "file").write_text("")
        (folder / "corrupt").mkdir()
        (folder / "corrupt" / "mail.sqlite3").write_bytes(b"no database" * 1000)
        for name, change in (("newer", "PRAGMA user_version = 99"), ("foreign", "CREATE TABLE x (y)")):
            (folder / name).mkdir()
            connection = sqlite3.connect(folder / name / "mail.sqlite3")
            if name == "newer":
                connection.execute("PRAGMA application_id = 1836085871")
            connection.execute(change)
            connection.commit()
            connection.close()
        other = write_pair(folder, "other", make_certificate())
        (folder / "no.pem").write_text("nonsense")
        (folder / "spoolless").mkdir(mode=0o700)
        (folder / "spoolless" / "spool").write_text("")
        for taken_by_a_folder in ("", "-wal"):
            (folder / f"folder{taken_by_a_folder}" / f"mail.sqlite3{taken_by_a_folder}").mkdir(parents=True)
        (folder / "keyless" / "tls-key.pem").mkdir(parents=True)
        (folder / "keyless" / "tls-cert.pem").write_text("")
        secret_key = folder / "secret.key"
        secret_key.write_bytes(good[0].private_bytes(*PEM, serialization.BestAvailableEncryption(b"secret")))
        long_path = "unix:" + "x" * 200
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        taken = f"tcp:{listening.getsockname()[1]}:interface=127.0.0.1"
        return [
            (["--smtp", taken], f"--smtp {taken}: Address already in use: "),
            (["--smtp", "tcp:65536"], "--smtp tcp:65536: a port is a number from 0 to 65535"),
            (["--lmtp", "unix:nothing/lmtp"], "--lmtp unix:nothing/lmtp: there is no folder nothing: make"),
            (["--lmtp", "unix:file"], "--lmtp unix:file: there is a file of this name"),
            (["--lmtp", long_path], f"--lmtp {long_path}: too long for a socket, whose path has 107"),
            (["--data", "file"], "--data: file: there is a file of this name, which is no folder"),
            (["--data", "file/data"], "--data: file/data: a part of this path is no folder"),
            (["--data", "/proc/nothing"], "--data: /proc/nothing: "),
            (["--data", "spoolless"], "--data: spoolless/spool: there is a file of this name"),
            (["--data", "keyless"], "--data: keyless/tls-key.pem: it is a folder"),
            (["--store", "bogus:"], "--store bogus:: unknown store 'bogus:'"),
            (["--store", "sqlite:corrupt"], "--store sqlite:corrupt: corrupt/mail.sqlite3"),
            (["--store", "sqlite:folder"], "--store sqlite:folder: folder/mail.sqlite3: a folder is where"),
            (
                ["--store", "sqlite:folder-wal"],
                "--store sqlite:folder-wal: folder-wal/mail.sqlite3-wal: a folder",
            ),
            (["--store", "sqlite:newer"], "--store sqlite:newer: newer/mail.sqlite3"),
            (["--store", "sqlite:foreign"], "--store sqlite:foreign: foreign/mail.sqlite3"),
            (["--store", "sqlite:/proc/x"], "--store sqlite:/proc/x: "),
            (["--tls-cert", "none.pem", "--tls-key", "none.pem"], "--tls-cert: none.pem: No such file"),
            (["--tls-cert", str(pair[0]), "--tls-key", "none.pem"], "--tls-key: none.pem: No such file"),
            (["--tls-cert", "no.pem", "--tls-key", str(pair[1])], "--tls-cert: no.pem: no certificate"),
            (
                ["--tls-cert", str(pair[0]), "--tls-key", "no.pem"],
                "--tls-key: no.pem: no private key in PEM form\n",
            ),
            (
                ["--tls-cert", str(pair[0]), "--tls-key", str(secret_key)],
                "--tls-key: secret.key: the key needs a password: write it without one",
            ),
            (
                ["--tls-cert", str(pair[0]), "--tls-key", str(other[1])],
                "--tls-key: other.key: not the key of good.pem",
            ),
            (["--client-ca", "none.pem"], "--client-ca: none.pem: No such file"),
            (["--client-ca", "no.pem"], "--client-ca: no.pem: no certificate"),
        ]

    def test_a_start_that_fails_is_one_line_and_a_status(self) -> None:
        for options, beginning in self.failures():
            with self.subTest(options=options):
                listening = [] if options[0] in ("--smtp", "--lmtp") else ["--smtp", ANY]
                done = self.twistd("mailproto", *listening, *options)
                said = done.stdout + done.stderr
                self.assertEqual(done.returncode, 1, said)
                without_folder = said.replace(f"{self.folder}/", "")
                self.assertTrue(without_folder.startswith(f"mailproto: {beginning}"), said)
                self.assertEqual(said.count("\n"), 1, said)
                self.assertFalse((self.folder / "pid").exists())
                self.assertNotIn("Traceback", self.log())
                self.assertIn(said.strip(), self.log())

    def test_the_same_in_the_foreground_and_with_twist(self) -> None:
        options, beginning = self.failures()[0]
        for program in ([*TWISTD, "-n", "--pidfile=pid"], TWIST):
            done = self.run_program(*program, "mailproto", *options)
            lines = [line for line in done.stderr.splitlines() if line.startswith("mailproto: ")]
            self.assertEqual((done.returncode, len(lines)), (1, 1), done.stderr)
            self.assertTrue(lines[0].startswith(f"mailproto: {beginning}"), lines)
            self.assertNotIn("Traceback", done.stdout + done.stderr)
            self.assertFalse((self.folder / "pid").exists())

    def test_wrong_options_are_one_line_too(self) -> None:
        """Without the list of all options, in the middle of which nobody would find it."""
        failures = (
            (
                ["--smtp", "25"],
                "--smtp 25: not a Twisted server endpoint (Unknown endpoint type: '25'): one is",
            ),
            (["--limit", "smtp.recipients=many"], "--limit: smtp.recipients: "),
            (["--tls-cert", "good.pem"], "--tls-cert good.pem: "),
            (["--data", ""], "--data: a path is missing"),
            (["--tls-key="], "--tls-key: a path is missing"),
            (["--nonsense"], "option --nonsense not recognized; twistd mailproto --help lists all options"),
            (["--smtp"], "option --smtp requires argument; "),
        )
        others = [(program, *failures[0]) for program in ([*TWISTD, "-n"], TWIST)]
        for program, options, beginning in [*((TWISTD, *failure) for failure in failures), *others]:
            with self.subTest(options=options, program=program[-1]):
                done = self.run_program(*program, "mailproto", *options)
                said = done.stdout + done.stderr
                self.assertEqual(done.returncode, 1, said)
                self.assertTrue(said.startswith(f"mailproto: {beginning}"), said)
                self.assertEqual(said.count("\n"), 1, said)

    def test_the_same_with_a_tac_file(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            endpoint = f"tcp:{listening.getsockname()[1]}:interface=127.0.0.1"
            (self.folder / "app.tac").write_text(
                "from twisted.application import service\n"
                "from mailproto.service import Settings, make_service\n"
                "application = service.Application('mail')\n"
                f"make_service(Settings(listen={{'imap': ['{endpoint}']}})).setServiceParent(application)\n"
            )
            done = self.twistd("--python=app.tac")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"^mailproto: listen.imap {endpoint}: Address already in use[^\n]*\n$")

    def test_other_services_fail_as_they_do_without_it(self) -> None:
        (self.folder / "app.tac").write_text(
            "from twisted.application import service, strports\n"
            "from twisted.internet.protocol import Factory\n"
            "from mailproto.service import Settings, make_service\n"
            "application = service.Application('mail')\n"
            f"make_service(Settings(listen={{'imap': ['{ANY}']}})).setServiceParent(application)\n"
            "strports.service('tcp:65536', Factory()).setServiceParent(application)\n"
        )
        done = self.twistd("--python=app.tac")
        self.assertEqual(done.returncode, 1)
        self.assertIn("An error has occurred: b'OverflowError", done.stderr)

    def test_a_server_that_is_a_part_of_nothing_is_not_waited_for(self) -> None:
        (self.folder / "app.tac").write_text(
            "from twisted.application import service\n"
            "from mailproto.service import Settings, make_service\n"
            "application = service.Application('mail')\n"
            "unused = make_service(Settings())\n"
        )
        self.start("--python=app.tac")

    def test_status_without_standard_error(self) -> None:
        options = self.failures()[0][0]
        line = shlex.join([*TWISTD, "--pidfile=pid", "--logfile=log", "mailproto", *options])
        self.assertEqual(self.run_program("sh", "-c", f"{line} >&- 2>&-").returncode, 1)

    def test_a_log_that_cannot_be_written(self) -> None:
        done = self.run_program(*TWISTD, "--pidfile=", "--logfile=nothing/log", "mailproto", "--imap", ANY)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^mailproto: --logfile: [^\n]*nothing/log: No such file[^\n]*\n$")

    def file_system(self, options: str) -> Path:
        """A small one, in memory."""
        if os.geteuid():
            raise SkipTest("needs root")
        disk = self.folder / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            raise SkipTest("needs the right to mount")
        self.addCleanup(subprocess.run, ["umount", str(disk)], check=False)
        return disk

    def test_a_file_system_that_is_read_only(self) -> None:
        self.file_system("ro")
        for option in ("--data=disk", "--data=disk/data", "--store=sqlite:disk/mail"):
            done = self.twistd("mailproto", "--imap", ANY, option)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(
                done.stderr, r"^mailproto: --(data|store)[^\n]*disk[^\n]*: the file system is read-only\n$"
            )

    def test_a_disk_that_is_full(self) -> None:
        disk = self.file_system("size=64k")
        with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(b"x" * 4096):
                pass
        for option in ("--data=disk", "--store=sqlite:disk/mail"):
            done = self.twistd("mailproto", "--imap", ANY, option)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"^mailproto: --(data|store)[^\n]*full[^\n]*\n$")
            self.assertNotIn("rollback", done.stderr)


class UserTests(DaemonCase):
    """Root starts it, and it becomes another user."""

    def setUp(self) -> None:
        super().setUp()
        if os.geteuid():
            raise SkipTest("needs root")
        try:
            self.user, self.group = pwd.getpwnam("nobody"), grp.getgrnam("nogroup")
        except KeyError:
            raise SkipTest("needs the user nobody and the group nogroup") from None
        self.before = ("--uid=nobody", "--gid=nogroup")
        self.listening = ("--imap", ANY)

    def owned(self, name: str) -> Path:
        """A folder of the user's."""
        path = self.folder / name
        path.mkdir(mode=0o700)
        os.chown(path, self.user.pw_uid, self.group.gr_gid)
        return path

    def low_port(self) -> int:
        for port in range(1023, 600, -1):
            with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
                return port
        raise SkipTest("needs a low port that is free")

    def test_a_low_port_and_everything_as_the_user(self) -> None:
        port = self.low_port()
        pid = self.start(
            *("mailproto", *ACCOUNT, "--smtp", f"tcp:{port}:interface=127.0.0.1"),
            *("--imaps", ANY, "--lmtp", "unix:lmtp"),
            before=self.before,
        )
        status = Path(f"/proc/{pid}/status").read_text()
        self.assertRegex(status, rf"Uid:(\t{self.user.pw_uid}){{4}}\nGid:(\t{self.group.gr_gid}){{4}}")
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.sendmail("bob@example.org", ["alice@localhost"], "Subject: x\r\n\r\n" + "x" * 80 + "\r\n")
        with imaplib.IMAP4_SSL("127.0.0.1", self.port("imaps"), ssl_context=untrusting()) as imap:
            imap.login("alice@localhost", "secret")
            self.assertEqual(imap.select(), ("OK", [b"1"]))
        data = self.folder / "mailproto-data"
        for path in (data, *data.rglob("*")):
            found = path.lstat()
            self.assertEqual((found.st_uid, found.st_gid), (self.user.pw_uid, self.group.gr_gid), path)
        found = (self.folder / "lmtp").lstat()
        self.assertEqual((found.st_uid, found.st_gid), (self.user.pw_uid, self.group.gr_gid))
        self.assertEqual(stat.S_IMODE(found.st_mode), 0o660)
        self.assertNotIn("Traceback", self.log())

    def test_files_of_another_user(self) -> None:
        self.start("mailproto", *self.listening)
        self.end()
        data = self.folder / "mailproto-data"
        for path in ("", "secret", "spool", "tls-key.pem", "mail", "mail/mail.sqlite3"):
            with self.subTest(path=path):
                for each in (data, *data.rglob("*")):
                    os.chown(each, self.user.pw_uid, self.group.gr_gid)
                os.chown(data / path, 0, 0)
                done = self.twistd("mailproto", *self.listening, before=self.before)
                self.assertEqual(done.returncode, 1, (path, done))
                self.assertRegex(done.stderr, rf"^mailproto: --(data|store)[^\n]*{path}[^\n]*nobody[^\n]*\n$")
                self.assertNotIn("Traceback", self.log())
                with contextlib.suppress(FileNotFoundError):
                    (self.folder / "pid").unlink()

    def start_as_user(self, settings: str) -> subprocess.CompletedProcess[str]:
        """Without ``--uid``: the user has no other rights from the beginning."""
        (self.folder / "app.tac").write_text(
            "import os\n"
            "from twisted.application import service\n"
            "from mailproto.service import Settings, make_service\n"
            "os.setgroups([])\n"
            f"os.setgid({self.group.gr_gid})\n"
            f"os.setuid({self.user.pw_uid})\n"
            "application = service.Application('mail')\n"
            f"make_service(Settings({settings})).setServiceParent(application)\n"
        )
        done = self.run_program(*TWISTD, "--pidfile=", "--logfile=/dev/null", "--python=app.tac")
        self.assertEqual(done.returncode, 1, done)
        return done

    def test_a_folder_that_the_user_may_not_make(self) -> None:
        (self.folder / "roots").mkdir(mode=0o755)
        done = self.start_as_user(
            f"data=__import__('pathlib').Path('roots/data'), listen={{'imap': ['{ANY}']}}"
        )
        self.assertRegex(
            done.stderr.replace(f"{self.folder}/", ""),
            "^mailproto: data: roots/data: Permission denied: the user nobody may not use it; "
            r"roots belongs to root: make roots/data first, and give it to nobody \(chown -R\)\n$",
        )

    def test_a_low_port_without_the_right(self) -> None:
        port = self.low_port()
        if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= port:
            return  # as in some containers, where any user may
        done = self.start_as_user(f"listen={{'smtp': ['tcp:{port}:interface=127.0.0.1']}}")
        self.assertRegex(
            done.stderr, r"^mailproto: listen.smtp [^\n]*: Permission denied: [^\n]*--uid[^\n]*\n$"
        )

    def test_the_command_works_as_the_owner(self) -> None:
        """What root makes with it can be used by the server."""
        self.owned("data")
        program = shlex.join([sys.executable, "-c", "from mailproto.service._command import main; main()"])
        command = f"echo secret | {program} user add bob@localhost --password-stdin --data data"
        done = self.run_program("sh", "-c", command)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        for path in (self.folder / "data").rglob("*"):
            self.assertEqual(path.lstat().st_uid, self.user.pw_uid, path)
        self.start("mailproto", "--data", "data", *self.listening, before=self.before)

    def test_another_user_is_told_who_may_use_the_store(self) -> None:
        self.owned("data")
        program = (  # imported first: the user may not be able to read this interpreter's modules
            "import os, twisted.internet.reactor; from mailproto.service._command import main; "
            "os.setgroups([]); os.setgid(65533); os.setuid(65533); main()"
        )
        who = f"data belongs to {self.user.pw_name}: run this as {self.user.pw_name} or root"
        for action, more, status in (
            (("queue", "list"), "", 1),
            (("send", "a@b.example"), ", or give the message to a server with --server", os.EX_NOPERM),
        ):
            done = self.run_program(sys.executable, "-c", program, *action, "--data", "data")
            self.assertEqual((done.returncode, done.stderr), (status, f"mailproto: {who}{more}\n"))

    def test_the_command_does_not_take_what_it_may_not_see_for_missing(self) -> None:
        self.start("mailproto", "--data", "roots", *self.listening)
        self.end()
        for options in (("--data", "roots"), ("--store", "sqlite:roots/mail"), ("--data", "roots/mail")):
            for action in (("user", "list"), ("store", "check")):
                arguments = (*action, *options)
                program = (  # imported first: the user may not be able to read this interpreter's modules
                    "import os, twisted.internet.reactor; from mailproto.service._command import main; "
                    f"os.setgroups([]); os.setgid({self.group.gr_gid}); os.setuid({self.user.pw_uid}); main()"
                )
                done = self.run_program(sys.executable, "-c", program, *arguments)
                self.assertEqual(done.returncode, 1, arguments)
                self.assertRegex(
                    done.stderr,
                    r"^mailproto: roots( belongs to root: run this as root"
                    r"|[^\n]*: Permission denied: the user nobody [^\n]*)\n$",
                )

    def test_a_renewed_key_that_the_user_may_not_read(self) -> None:
        files = write_pair(self.folder, "site", make_certificate())
        for file in files:
            os.chown(file, self.user.pw_uid, self.group.gr_gid)
        tls = ("--tls-cert", str(files[0]), "--tls-key", str(files[1]))
        self.owned("data")
        pid = self.start("mailproto", "--data", "data", *tls, *self.listening, before=self.before)
        os.chown(files[1], 0, 0)
        files[1].chmod(0o600)
        os.kill(pid, signal.SIGHUP)
        self.wait_for_log(
            rf"certificate in use stays: {files[1]}: Permission denied: the user nobody[^\n]* to root: give"
        )


class SignalTests(DaemonCase):
    def certificate(self, port: int) -> str:
        return ssl.get_server_certificate(("127.0.0.1", port))

    def renew(self, name: str = "site") -> tuple[Path, Path]:
        """Put a new certificate and key in place of those that are there, as certbot does."""
        new = write_pair(self.folder, "new", make_certificate(name="renewed"))
        files = (self.folder / f"{name}.cert.pem", self.folder / f"{name}.key.pem")
        for source, target in zip(new, files, strict=True):
            source.replace(target)
        return files

    def test_hangup_reads_the_certificate_again(self) -> None:
        files = self.renew()
        tls = ("--tls-cert", str(files[0]), "--tls-key", str(files[1]))
        pid = self.start("mailproto", *ACCOUNT, *tls, "--imaps", ANY, "--imap", ANY)
        port = self.port("imaps")
        first = self.certificate(port)
        with (
            imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=untrusting()) as encrypted,
            imaplib.IMAP4("127.0.0.1", self.port("imap")) as plain,
        ):
            encrypted.login("alice@localhost", "secret")
            self.renew()
            os.kill(pid, signal.SIGHUP)
            self.wait_for_log(r"TLS certificate read again: \S+site.cert.pem: \S+, valid until \d{4}-")
            self.assertNotEqual(self.certificate(port), first)
            self.assertEqual(encrypted.noop()[0], "OK")
            self.assertEqual(plain.noop()[0], "OK")
            # What cannot be used changes nothing.
            kept = self.certificate(port)
            files[1].write_text("nonsense")
            os.kill(pid, signal.SIGHUP)
            self.wait_for_log(r"#warn\] The TLS certificate in use stays: [^\n]*site.key.pem: no private key")
            self.assertEqual(self.certificate(port), kept)
            files[0].unlink()
            os.kill(pid, signal.SIGHUP)
            self.wait_for_log(r"#warn\] The TLS certificate in use stays: [^\n]*site.cert.pem: No such file")
            self.assertEqual(encrypted.noop()[0], "OK")
            for _ in range(200):
                os.kill(pid, signal.SIGHUP)
            self.assertEqual(plain.noop()[0], "OK")
        self.assertTrue(is_running(pid))
        self.assertNotIn("Traceback", self.log())

    def test_hangup_while_the_server_stops(self) -> None:
        pid = self.start("mailproto", *ACCOUNT, "--imap", ANY)
        with socket.create_connection(("127.0.0.1", self.port("imap"))) as client:
            client.recv(4096)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGHUP):
                os.kill(pid, number)
            self.assertIn(b"* BYE", client.recv(4096))
        self.wait_for(lambda: not is_running(pid))
        self.assertIn("Server Shut Down", self.log())

    def test_user_signal_begins_a_new_log(self) -> None:
        pid = self.start("mailproto", *ACCOUNT, "--imap", ANY)
        port = self.port("imap")
        os.kill(pid, signal.SIGUSR1)
        self.wait_for((self.folder / "log.1").exists)
        with imaplib.IMAP4("127.0.0.1", port) as client:
            client.login("alice@localhost", "secret")
        os.kill(pid, signal.SIGHUP)
        self.wait_for_log("TLS certificate read again")
        self.assertNotIn("TLS certificate read again", (self.folder / "log.1").read_text())

    def test_hangup_in_the_foreground_with_twist_and_in_a_tac_file(self) -> None:
        (self.folder / "app.tac").write_text(
            "from twisted.application import service\n"
            "from mailproto.service import Settings, make_service\n"
            "application = service.Application('mail')\n"
            f"make_service(Settings(listen={{'imap': ['{ANY}']}})).setServiceParent(application)\n"
        )
        for command in (
            [*TWISTD, "-n", "--pidfile=", "mailproto", "--imap", ANY],
            [*TWIST, "--log-format=text", "mailproto", "--imap", ANY],
            [*TWISTD, "-n", "--pidfile=", "--python=app.tac"],
        ):
            with self.subTest(command=command), (self.folder / "log").open("w") as log:
                process = subprocess.Popen(
                    command,
                    cwd=self.folder,
                    env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
                try:
                    self.wait_for_log("mailproto is ready")
                    for number in (1, 2):
                        process.send_signal(signal.SIGHUP)
                        self.wait_for(lambda n=number: self.log().count("TLS certificate read again") >= n)
                    self.assertIsNone(process.poll())
                finally:
                    process.terminate()
                    process.wait(PATIENCE)
                self.assertIn(process.returncode, (0, -signal.SIGTERM))

    def test_a_pair_of_our_own_is_read_again_too(self) -> None:
        pid = self.start("mailproto", "--hostname", "a.example", "--imaps", ANY)
        first = self.certificate(self.port("imaps"))
        ensure_self_signed(self.folder / "mailproto-data", "b.example")
        os.kill(pid, signal.SIGHUP)
        self.wait_for_log("TLS certificate read again")
        self.assertNotEqual(self.certificate(self.port("imaps")), first)
