"""Signs messages, so that receivers know which domain answers for them (DKIM, RFC 6376, RFC 8463).

A `KeyFolder` has the keys of domains, an RSA and an Ed25519 key for each, and `signatures` makes the fields::

    keys = KeyFolder("data/dkim")
    fields = signatures(content, "example.org", keys.find("example.org"))
    signed = content.prepend(fields)

``mailproto dkim keygen`` makes keys, and shows what the DNS must say.
"""

from mailproto.dkim._again import signed_again
from mailproto.dkim._folder import KeyFolder
from mailproto.dkim._keys import SigningKey
from mailproto.dkim._signatures import author_domain, signatures

__all__ = ["KeyFolder", "SigningKey", "author_domain", "signatures", "signed_again"]
