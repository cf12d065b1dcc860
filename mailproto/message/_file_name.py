"""The file name of a part, made safe for a folder (RFC 2183 2.3)."""

from __future__ import annotations

import re

from mailproto.content import Octets
from mailproto.message._encoded_words import parameter_text
from mailproto.message._mime import Parameter, disposition
from mailproto.message._one_line import one_line
from mailproto.message._scan import Part

__all__ = ["FILE_NAME_LIMIT", "file_name", "has_file_name", "safe_file_name"]

FILE_NAME_LIMIT = 255
"""The most octets of a file name in UTF-8, as in most file systems."""

_SUFFIX_LIMIT = 32

# Marks that reverse the letters after them, so that "exe.pdf" may be shown for "fdp.exe" (UAX 9).
_reversing = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]").sub


def file_name(content: Octets, part: Part) -> str:
    """The name in Content-Disposition, or else in Content-Type, by `safe_file_name`; "" if there is none."""
    for wanted, parameters in _named_parameters(content, part):
        found = {name.lower(): (name, value) for name, value in reversed(parameters)}
        for key in (wanted + b"*", wanted):  # RFC 6266 4.3: the extended one is preferred
            if (named := found.get(key)) and (text := safe_file_name(parameter_text(*named))):
                return text
    return ""


def has_file_name(content: Octets, part: Part) -> bool:
    """Whether a file name is given."""
    return any(
        name.lower() in (wanted, wanted + b"*") and value != b""
        for wanted, parameters in _named_parameters(content, part)
        for name, value in parameters
    )


def _named_parameters(content: Octets, part: Part) -> list[tuple[bytes, tuple[Parameter, ...]]]:
    return [
        (b"filename", disposition(part.fields(content).get(b"content-disposition", []))[1]),
        (b"name", part.content_type(content)[2]),
    ]


def safe_file_name(text: str) -> str:
    """The last part of a path, without characters that hide or reverse others, and not too long.

    "" for names that mean folders.
    """
    name = re.split(r"[/\\]", text)[-1]
    name = _reversing("", one_line(name)).strip().rstrip(". ")
    octets = name.encode("utf-8", "replace")
    if len(octets) <= FILE_NAME_LIMIT:
        return octets.decode()
    stem, dot, suffix = octets.rpartition(b".")
    if not dot or len(suffix) > _SUFFIX_LIMIT:
        stem, suffix = octets, b""
    else:
        suffix = dot + suffix
    stem = stem[: FILE_NAME_LIMIT - len(suffix)]
    return stem.decode("utf-8", "ignore") + suffix.decode("utf-8")
