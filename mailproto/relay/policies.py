"""What decides about TLS for the servers that the DNS names, for `mailproto.relay.servers.Exchanges`.

Without these, servers must have what DANE demands, or else what the route says::

    sts = MTASTS(reactor, resolver, "mailproto-data/mta-sts")
    exchanges = Exchanges(resolver, policies=TLSPolicies(resolver, sts))

`TLSReports` counts how TLS goes, and tells domains that want to know: give it to all as ``counts``.
"""

from mailproto.relay._tls import TLSPolicies
from mailproto.relay._tls._reports import TLSReports
from mailproto.relay._tls._sts import MTASTS

__all__ = ["MTASTS", "TLSPolicies", "TLSReports"]
