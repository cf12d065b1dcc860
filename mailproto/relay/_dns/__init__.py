"""The DNS, as the relay needs it: `DNSResolver` asks servers, with the messages of dnspython."""

from mailproto.relay._dns._answers import Answer, DNSFailure, Kind, Lookup, MXRecord, TLSARecord
from mailproto.relay._dns._resolver import DNSResolver

__all__ = ["Answer", "DNSFailure", "DNSResolver", "Kind", "Lookup", "MXRecord", "TLSARecord"]
