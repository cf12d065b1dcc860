"""What TLS each server must have: DANE (RFC 7672), MTA-STS (RFC 8461) and REQUIRETLS (RFC 8689)."""

from mailproto.relay._tls._demands import Demands
from mailproto.relay._tls._policies import TLSPolicies
from mailproto.relay._tls._report import check_reporter

__all__ = ["Demands", "TLSPolicies", "check_reporter"]
