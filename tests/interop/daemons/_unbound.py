"""unbound, a resolver that validates: it serves zones of its own, which it does not simply believe."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

import dns.dnssec
import dns.dnssectypes
import dns.rdataclass
import dns.rdatatype
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

from tests.interop.daemons._daemon import Daemon, new_folder
from tests.interop.server import HOST, need
from tests.interop.sink import unused_port

__all__ = ["plain_zone", "signed_zone", "unbound"]

_CONFIG = """
server:
    interface: {host}
    port: {port}
    access-control: 127.0.0.0/8 allow
    directory: "{folder}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: "{folder}/log"
    do-daemonize: no
    num-threads: 1
    do-not-query-localhost: no
    module-config: "validator iterator"
"""

_ZONE = """
auth-zone:
    name: "{name}"
    zonefile: "{folder}/{name}zone"
    for-downstream: no
    for-upstream: yes
    fallback-enabled: no
"""


def signed_zone(name: str, text: str) -> tuple[dns.zone.Zone, str]:
    """A zone with signatures (RFC 4034), and its DS record, the anchor of trust in it.

    :param name: ends with a dot.
    :param text: its records, without SOA and NS.
    """
    zone = plain_zone(name, text)
    key = ec.generate_private_key(ec.SECP256R1())
    dnskey = dns.dnssec.make_dnskey(key.public_key(), dns.dnssectypes.Algorithm.ECDSAP256SHA256, flags=257)
    dns.dnssec.sign_zone(zone, keys=[(key, dnskey)], dnskey_ttl=600, lifetime=86400)
    return zone, f"{name} IN DS {dns.dnssec.make_ds(name, dnskey, 'SHA256').to_text()}"


def plain_zone(name: str, text: str) -> dns.zone.Zone:
    """A zone without signatures."""
    head = f"$TTL 600\n@ IN SOA ns.{name} root.{name} 1 600 600 600 60\n@ IN NS ns.{name}\nns IN A {HOST}\n"
    return dns.zone.from_text(head + text, origin=name)


def unbound(
    zones: Mapping[str, dns.zone.Zone], anchors: Sequence[str] = (), *, address: str = HOST, port: int = 0
) -> Daemon:
    """A resolver that knows only these zones.

    :param zones: by their names, which end with a dot.
    :param anchors: DS records.
    :param port: 0 for any.
    """
    need("unbound", "unbound")
    folder, port = new_folder(), port or unused_port()
    config = _CONFIG.format(host=address, port=port, folder=folder)
    config += "".join(f'    trust-anchor: "{anchor}"\n' for anchor in anchors)
    for name, zone in zones.items():
        zone.to_file(str(folder / f"{name}zone"), relativize=False)
        config += _ZONE.format(name=name, folder=folder)
    (folder / "config").write_text(config)
    command = [shutil.which("unbound") or "unbound", "-d", "-p", "-c", str(folder / "config")]
    return Daemon(folder, port, folder / "log", command, greeting=b"", address=address)
