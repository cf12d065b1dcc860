"""Mail servers of others, each with folders of its own and started for the tests alone.

Postfix and Dovecot come as Debian packages.  exim4 and opensmtpd are not to be installed
beside Postfix: they run from the folder into which their packages were unpacked, which
``MAILPROTO_TEST_MTAS`` names (``.ci/run`` makes it; by hand: ``apt-get download
exim4-daemon-light opensmtpd``, then ``dpkg -x`` of each).  Both have their paths and users
compiled in, so they get a mount namespace in which these are ours.

All of them relay what they get to the port of `tests.interop.sink`, as the domain says:
``plain.test`` in clear, ``tls.test`` with STARTTLS, ``lmtp.test`` and ``unix.test`` by LMTP.
They refuse ``no@plain.test``, and where there are users, ``members@plain.test`` from others.
The users are alice and carol, with the password `PASSWORD`.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import hmac
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.interop.server import HOST, PATIENCE, need
from tests.interop.sink import HOSTNAME, certificate, free_port, unused_port
from tests.tls.certificates import Pair, make_certificate, write_pair

__all__ = [
    "PASSWORD",
    "Daemon",
    "bearer_token",
    "dovecot",
    "exim",
    "opensmtpd",
    "postfix",
    "postfix_on",
    "postfix_with_users",
    "postfix_with_xclient",
]

MTAS = "MAILPROTO_TEST_MTAS"
PASSWORD = "tanstaaftanstaaf"


class Daemon:
    """A running server.

    :ivar port: where it takes mail by SMTP.
    :ivar folder: all that it writes is below.
    :ivar log: what it says of itself.
    :param hello: what clients must say before it greets them.
    :param address: where it listens.
    :param stop_command: the command that ends it, where a signal to what ``command`` started does not.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        log: Path,
        command: Sequence[str | Path],
        *,
        stop_command: Sequence[str | Path] = (),
        hello: bytes = b"",
        address: str = HOST,
    ) -> None:
        self.folder = folder
        self.port = port
        self.log = log
        self._stop_command = stop_command
        output = folder / "output"
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        atexit.register(self.stop)
        deadline = time.monotonic() + PATIENCE
        while not _greets(address, port, hello):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"{command[0]} did not start:\n{self.printed()}")
            time.sleep(0.05)

    def printed(self) -> str:
        """Its log, for a test that failed."""
        files = (self.folder / "output", self.log)
        return "".join(file.read_text(errors="replace") for file in files if file.exists())

    def stop(self) -> None:
        """End it, and what it started."""
        if self._stop_command:
            subprocess.run([str(part) for part in self._stop_command], capture_output=True, check=False)
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
        with contextlib.suppress(ProcessLookupError):  # its session is its own
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _greets(address: str, port: int, hello: bytes) -> bool:
    try:
        with socket.create_connection((address, port), 5) as client:
            client.settimeout(5)
            client.sendall(hello)
            return client.recv(3) == b"220"
    except OSError:
        return False


def _new_folder() -> Path:
    """One that other users may enter."""
    folder = Path(tempfile.mkdtemp(prefix="mailproto-test-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _need_root() -> None:
    if os.geteuid() != 0:
        raise SkipTest("needs root, to start a mail server that has users of its own")


# -- Postfix

_MASTER = """
{port} inet n - n - - smtpd
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
tls unix - - n - - smtp -o smtp_tls_security_level=secure
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

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
myhostname = postfix.test
mydestination =
mynetworks = 127.0.0.0/8
disable_dns_lookups = yes
smtp_dns_support_level = disabled
smtputf8_enable = yes
relayhost =
alias_maps =
local_recipient_maps =
default_transport = error:5.1.2 nothing leaves this machine
relay_transport = error:5.1.2 nothing leaves this machine
transport_maps = texthash:{folder}/etc/transport
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access texthash:{folder}/etc/refused,
  permit_sasl_authenticated, check_recipient_access texthash:{folder}/etc/members
smtpd_peername_lookup = no
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtp_tls_CAfile = {certificate}
smtp_tls_secure_cert_match = {hostname}
smtp_tls_loglevel = 1
notify_classes =
in_flow_delay = 0
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
"""

_USERS = """
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {path}
"""


@cache
def postfix() -> Daemon:
    """Postfix, with queues of its own."""
    return _postfix()


@cache
def postfix_with_users() -> Daemon:
    """Postfix, and Dovecot's SASL."""
    return _postfix(_USERS.format(path=dovecot().folder / "auth"))


@cache
def postfix_with_xclient() -> Daemon:
    """Postfix, which takes XCLIENT from this machine."""
    return _postfix(f"smtpd_authorized_xclient_hosts = {HOST}\n")


def postfix_on(address: str, port: int, next_address: str) -> Daemon:
    """Postfix on an address and a port; it takes all mail on to the same port of another address."""
    more = f"mynetworks = 127.0.0.0/8\ndefault_transport = smtp:[{next_address}]:{port}\n"
    return _postfix(more, address, port)


def _postfix(more: str = "", address: str = HOST, port: int = 0) -> Daemon:
    need("postfix", "postfix")
    _need_root()
    folder, port = _new_folder(), port or unused_port()
    pem, key = certificate()
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix", "postfix")
    (folder / "etc/master.cf").write_text(_MASTER.format(port=f"{address}:{port}"))
    settings = {"folder": folder, "certificate": pem, "key": key, "hostname": HOSTNAME}
    (folder / "etc/main.cf").write_text(_MAIN.format(**settings) + more)
    sink = f"[{HOST}]:{free_port()}"
    (folder / "etc/transport").write_text(
        f"plain.test smtp:{sink}\ntls.test tls:{sink}\n"
        f"lmtp.test lmtp:inet:{sink}\nunix.test lmtp:unix:{folder}/lmtp\n"
    )
    (folder / "etc/refused").write_text("no@plain.test REJECT\n")
    (folder / "etc/members").write_text("members@plain.test REJECT\n")
    for name in ("dynamicmaps.cf", "postfix-files"):
        if (source := Path("/etc/postfix", name)).exists():
            shutil.copy(source, folder / "etc")
    command = ("postfix", "-c", folder / "etc")
    return Daemon(
        folder,
        port,
        folder / "log",
        [*command, "start-fg"],
        stop_command=[*command, "abort"],
        address=address,
    )


# -- Dovecot

_DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = {folder.name}
log_path = {folder}/log
listen = 127.0.0.1
protocols = lmtp
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 oauthbearer xoauth2
mail_location = maildir:~/Maildir
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
auth_username_format = %Ln
default_internal_user = dovecot
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {folder}/oauth2
}}
service auth {{
  unix_listener {folder}/auth {{
    mode = 0666
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
}}
"""

_OAUTH2 = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={folder}/keys/
username_attribute = sub
"""
_TOKEN_KEY = b"k" * 32


def bearer_token(name: str, *, lifetime: int = 600) -> str:
    """A JSON Web Token (RFC 7519) that Dovecot takes for ``lifetime`` seconds."""
    now = int(time.time())
    claims = {"sub": name, "iat": now - 60, "exp": now + lifetime}
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    signed = b".".join(_base64url(json.dumps(part).encode()) for part in parts)
    return b".".join((signed, _base64url(hmac.digest(_TOKEN_KEY, signed, "sha256")))).decode()


def _base64url(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


@cache
def dovecot() -> Daemon:
    """Dovecot's LMTP server for alice and carol, whose mail is in ``mail/NAME/Maildir/new``.

    At its socket ``auth`` Postfix asks who they are.
    """
    need("dovecot", "dovecot-lmtpd")
    if not Path("/usr/lib/dovecot/lmtp").exists():
        raise SkipTest("needs Dovecot's LMTP server: install the Debian package dovecot-lmtpd")
    _need_root()
    folder, port = _new_folder(), unused_port()
    (folder / "mail").mkdir()
    shutil.chown(folder / "mail", "mail", "mail")
    users = "".join(f"{name}:{{PLAIN}}{PASSWORD}::::{folder}/mail/{name}::\n" for name in ("alice", "carol"))
    (folder / "users").write_text(users)
    keys = folder / "keys/default/HS256"
    keys.mkdir(parents=True)
    (keys / "default").write_bytes(base64.b64encode(_TOKEN_KEY))
    (folder / "oauth2").write_text(_OAUTH2.format(folder=folder))
    (folder / "config").write_text(_DOVECOT.format(folder=folder, port=port))
    return Daemon(folder, port, folder / "log", ["dovecot", "-F", "-c", folder / "config"])


# -- servers whose paths are compiled in

_NAMESPACE = """
set -e
cp /etc/passwd /etc/group {folder}
for user in opensmtpd:64501 opensmtpq:64502 Debian-exim:64503; do
    echo "${{user%:*}}:x:${{user#*:}}:${{user#*:}}::/nonexistent:/bin/false" >>{folder}/passwd
    echo "${{user%:*}}:x:${{user#*:}}:" >>{folder}/group
done
mount --bind {folder}/passwd /etc/passwd
mount --bind {folder}/group /etc/group
for path in /var/spool /var/lib /run; do mount -t tmpfs tmpfs $path; done
mkdir -p /var/lib/opensmtpd/empty /var/lib/exim4 /var/spool/exim4
mkdir -m 711 /var/spool/smtpd
chown Debian-exim /var/spool/exim4 {folder}/logs
cp {folder}/config /var/lib/exim4/config.autogenerated
exec "$@"
"""


def _unpacked(program: str, package: str) -> Path:
    folder = os.environ.get(MTAS, "")
    path = Path(folder, f"usr/sbin/{program}")
    if not folder or not path.exists():
        raise SkipTest(
            f"needs {program}: unpack the Debian package {package} into the folder named by {MTAS}"
        )
    _need_root()
    return path


def _in_namespace(config: Callable[[Path, int], str], log: str, *command: str | Path) -> Daemon:
    folder, port = _new_folder(), unused_port()
    (folder / "logs").mkdir()
    (folder / "config").write_text(config(folder, port))
    (folder / "namespace").write_text(_NAMESPACE.format(folder=folder))
    begin = ["unshare", "--mount", "sh", str(folder / "namespace")]
    return Daemon(
        folder, port, folder / log, [*begin, *(str(part).format(folder=folder) for part in command)]
    )


_EXIM = """
keep_environment =
exim_path = {program}
primary_hostname = exim.test
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = recipient
acl_smtp_data = accept
log_file_path = {folder}/logs/%slog
log_selector = +smtp_confirmation +tls_certificate_verified
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
chunking_advertise_hosts = *
host_lookup =
tls_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
tls_try_verify_hosts = *
tls_verify_certificates = {authority}
begin acl
recipient:
  deny recipients = no@plain.test
  deny recipients = members@plain.test
       !authenticated = *
  accept
begin routers
tls:
  driver = manualroute
  domains = tls.test
  route_list = * 127.0.0.1
  self = send
  transport = tls
lmtp:
  driver = manualroute
  domains = lmtp.test
  route_list = * 127.0.0.1
  self = send
  transport = lmtp
plain:
  driver = manualroute
  domains = plain.test
  route_list = * 127.0.0.1
  self = send
  transport = plain
begin transports
plain:
  driver = smtp
  port = {sink}
  allow_localhost
  hosts_avoid_tls = *
tls:
  driver = smtp
  port = {sink}
  allow_localhost
  hosts_require_tls = *
  tls_verify_certificates = {certificate}
  tls_verify_hosts = *
  tls_verify_cert_hostnames =
lmtp:
  driver = smtp
  protocol = lmtp
  port = {sink}
  allow_localhost
  hosts_avoid_tls = *
begin retry
* * F,1h,1s
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if and{{{{eq{{$auth2}}{{alice}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{alice}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
cram_md5:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{alice}}{{{password}}}fail}}
external:
  driver = external
  public_name = EXTERNAL
  server_advertise_condition = $tls_in_certificate_verified
  server_param2 = ${{certextract{{subj_altname,mail,>:}}{{$tls_in_peercert}}}}
  server_condition = ${{if forany{{$auth2}}{{eq{{$item}}{{$auth1}}}}}}
"""


@cache
def authority() -> Pair:
    """Whose certificates for clients Exim trusts."""
    return make_certificate(name="authority of clients")


@cache
def exim() -> Daemon:
    """Exim, as Debian's exim4-daemon-light has it."""
    program = _unpacked("exim4", "exim4-daemon-light")
    pem, key = certificate()

    def config(folder: Path, port: int) -> str:
        # Exim reads the key as its own user.
        shutil.copy(pem, folder / "cert.pem")
        shutil.copy(key, folder / "key.pem")
        for name in ("cert.pem", "key.pem"):
            (folder / name).chmod(0o644)
        write_pair(folder, "authority", authority())
        settings = {
            "authority": folder / "authority.pem",
            "certificate": folder / "cert.pem",
            "key": folder / "key.pem",
            "sink": free_port(),
        }
        return _EXIM.format(folder=folder, port=port, program=program, password=PASSWORD, **settings)

    return _in_namespace(config, "logs/mainlog", program, "-bdf")


_OPENSMTPD = """
pki "opensmtpd.test" cert "{certificate}"
pki "opensmtpd.test" key "{key}"
listen on 127.0.0.1 port {port} tls pki "opensmtpd.test" hostname "opensmtpd.test" mask-src
action "plain" relay host smtp+notls://127.0.0.1:{sink}
action "tls" relay host smtp+tls://127.0.0.1:{sink} tls no-verify
match from any for rcpt-to "no@plain.test" reject
match from any for domain "plain.test" action "plain"
match from any for domain "tls.test" action "tls"
"""


def opensmtpd() -> Daemon:
    """OpenSMTPD, a new one: between two connections to one server it waits for seconds."""
    program = _unpacked("smtpd", "opensmtpd")
    pem, key = certificate()

    def config(folder: Path, port: int) -> str:
        return _OPENSMTPD.format(port=port, sink=free_port(), certificate=pem, key=key)

    return _in_namespace(config, "log", program, "-d", "-f", "{folder}/config")
