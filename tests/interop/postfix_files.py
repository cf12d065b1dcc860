"""The files of a Postfix that runs for a test or a benchmark alone, with queues of its own.

The programs in ``benchmarks/`` use this, too, so it imports nothing of the tests.
"""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["write_postfix"]

_MASTER = """
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
"""Nothing runs in a chroot."""

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
mynetworks = 127.0.0.0/8
disable_dns_lookups = yes
smtp_dns_support_level = disabled
alias_maps =
local_recipient_maps =
transport_maps = texthash:{folder}/etc/transport
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
notify_classes =
in_flow_delay = 0
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
"""


def write_postfix(folder: Path, *, main: str, services: str, transport: str) -> list[str]:
    """Make its configuration and its folders below ``folder``, which Postfix' users must be able to enter.

    :param main: more of ``main.cf``; it counts above what is the same for all.
    :param services: more of ``master.cf``, such as ``127.0.0.1:2525 inet n - n - - smtpd``.
    :param transport: the table of transports.
    :returns: the beginning of its command: ``start-fg`` and ``abort`` follow.
    """
    etc = folder / "etc"
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir(parents=True)
    shutil.chown(folder / "data", "postfix", "postfix")
    (etc / "master.cf").write_text(services.strip() + _MASTER)
    (etc / "main.cf").write_text(_MAIN.format(folder=folder) + main)
    (etc / "transport").write_text(transport)
    for name in ("dynamicmaps.cf", "postfix-files"):
        if (source := Path("/etc/postfix", name)).exists():
            shutil.copy(source, etc)
    return ["postfix", "-c", str(etc)]
