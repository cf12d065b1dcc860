"""Stand-in until `mailproto.message.summarise` is there."""
from typing import Any, NamedTuple

try:
    from mailproto.message import summarise  # type: ignore[attr-defined,unused-ignore]
except ImportError:
    class Summary(NamedTuple):
        envelope: bytes
        body_structure: bytes
        index: bytes

    def summarise(content: Any) -> Any:
        return Summary(
            b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
            b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" %d 1 NIL NIL NIL NIL)' % len(content),
            b"",
        )
