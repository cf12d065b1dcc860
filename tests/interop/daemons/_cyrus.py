"""Cyrus IMAP, unpacked: it is not to be installed beside Dovecot."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.interop.daemons._daemon import Daemon, need_root, new_folder
from tests.interop.sink import unused_port

__all__ = ["cyrus"]

_IMAPD = """
configdirectory: {folder}/conf
partition-default: {folder}/spool
defaultpartition: default
master_pid_file: {folder}/run/pid
proc_path: {folder}/run/proc
mboxname_lockpath: {folder}/run/lock
admins: admin
cyrus_user: nobody
cyrus_group: nogroup
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN
allowplaintext: yes
unixhierarchysep: yes
altnamespace: yes
"""

_SERVICES = """
START {{
  recover cmd="{programs}/ctl_cyrusdb -C {folder}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{programs}/imapd -C {folder}/imapd.conf" listen="127.0.0.1:{port}" prefork=1
}}
EVENTS {{
}}
"""


@cache
def cyrus() -> Daemon:
    """Its IMAP server, which takes any password; ``admin`` may create ``user/NAME``."""
    need_root()
    programs = Path(os.environ.get("MAILPROTO_TEST_MTAS", ""), "usr/lib/cyrus/bin")
    if not (programs / "imapd").exists():
        raise SkipTest("needs Cyrus unpacked in MAILPROTO_TEST_MTAS: see .ci/run")
    folder, port = new_folder(), unused_port()
    for name in ("conf", "spool", "run/proc", "run/lock"):
        (folder / name).mkdir(parents=True)
    (folder / "imapd.conf").write_text(_IMAPD.format(folder=folder))
    (folder / "cyrus.conf").write_text(_SERVICES.format(folder=folder, programs=programs, port=port))
    for path, _, _ in os.walk(folder):
        shutil.chown(path, "nobody", "nogroup")
    command: list[str | Path] = [
        programs / "master",
        "-C",
        folder / "imapd.conf",
        "-M",
        folder / "cyrus.conf",
    ]
    return Daemon(folder, port, folder / "log", [*command, "-p", folder / "run/pid"], greeting=b"* OK")
