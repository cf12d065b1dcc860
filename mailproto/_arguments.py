"""Checks of what programs pass to constructors: an error at once, in one line, with what to write instead.

A line has the parameter's name, what it takes and what it got: "hostname must be a str, not b'h'".
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence, Sized
from dataclasses import fields, is_dataclass
from functools import lru_cache, partial
from types import FunctionType, MappingProxyType, MethodType
from typing import Any, get_type_hints

__all__ = [
    "check_bool",
    "check_call",
    "check_choice",
    "check_fields",
    "check_flags",
    "check_line",
    "check_mapping",
    "check_methods",
    "check_parameters",
    "check_path",
    "check_places",
    "check_refusal",
    "check_reply",
    "check_same_length",
    "check_seconds",
    "check_type",
    "check_whole",
    "check_words",
    "folder_of",
    "shown",
    "text_path",
    "wrong_type",
    "wrong_value",
]

_LONGEST = 80
"""Characters of a value that are shown."""


def shown(value: object) -> str:
    """What a value is, in one short line; of a mapping, which may have passwords, only the class."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, (FunctionType, MethodType)):
        return f"the function {value.__name__}"
    if isinstance(value, Mapping):
        return f"a {type(value).__name__}"
    if type(value).__repr__ is object.__repr__:
        return f"an object of the class {type(value).__name__}"
    try:
        text = repr(value[:_LONGEST] if isinstance(value, (str, bytes, bytearray)) else value)
    except Exception:
        return f"an object of the class {type(value).__name__}"
    text = " ".join(text[: 2 * _LONGEST].split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def wrong_type(name: str, value: object, takes: str, hint: str = "") -> TypeError:
    """The error for a value of the wrong type.

    :param takes: what the parameter takes, such as "a str".
    :param hint: what to write instead.
    """
    return TypeError(_line(name, value, takes, hint))


def wrong_value(name: str, value: object, takes: str, hint: str = "") -> ValueError:
    """The error for a value of the right type that is not allowed; see `wrong_type`."""
    return ValueError(_line(name, value, takes, hint))


def _line(name: str, value: object, takes: str, hint: str) -> str:
    return f"{name} must be {takes}, not {shown(value)}{hint and ': ' + hint}"


def check_type(name: str, value: object, kinds: type | tuple[type, ...], takes: str, hint: str = "") -> None:
    """:raises TypeError: ``value`` is of none of ``kinds``."""
    if not isinstance(value, kinds):
        raise wrong_type(name, value, takes, hint)


def check_bool(name: str, value: object) -> None:
    """:raises TypeError: another value may mean the opposite of what it says, as ``"no"`` does."""
    if value is not True and value is not False:
        raise wrong_type(name, value, "True or False")


def check_whole(name: str, value: object, least: int = 0, hint: str = "") -> None:
    """Check a whole number.

    :raises TypeError: it is no `int`.
    :raises ValueError: it is less than ``least``.
    """
    takes = f"a whole number of at least {least}"
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type(name, value, takes, hint)
    if value < least:
        raise wrong_value(name, value, takes, hint)


def check_seconds(name: str, value: object, *, above_0: bool = False) -> None:
    """Check a time.

    :raises TypeError: it is neither an `int` nor a `float`.
    :raises ValueError: it is negative, infinite or NaN, because no timer can wait for that; or 0, if
        ``above_0``.
    """
    takes = f"a number of seconds {'above' if above_0 else 'of at least'} 0"
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise wrong_type(name, value, takes)
    if not 0 <= value < _FOREVER or (above_0 and not value):
        raise wrong_value(name, value, takes)


_FOREVER = 1e15
"""Seconds: more than timers can add up exactly."""


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """:raises TypeError, ValueError: ``value`` is none of ``choices``."""
    takes = " or ".join(map(repr, choices))
    if not isinstance(value, str):
        raise wrong_type(name, value, takes)
    if value not in choices:
        raise wrong_value(name, value, takes)


def check_line(name: str, value: object, takes: str = "a str of one line") -> None:
    """Check a text that is sent in one line.

    :raises TypeError: it is no `str`.
    :raises ValueError: it has a line break, so that its rest would be taken for another line, or a NUL.
    """
    if value.__class__ is not str and not isinstance(value, str):
        raise wrong_type(name, value, takes)
    if "\n" in value or "\r" in value or "\0" in value:
        raise wrong_value(name, value, takes)


def check_reply(code: object, enhanced: object, *, least: int = 200) -> None:
    """Check the codes of an SMTP reply.

    :raises TypeError: ``code`` is no `int`, or ``enhanced`` is no `str`.
    :raises ValueError: ``code`` is not from ``least`` to 599, or ``enhanced`` is not of its class (RFC 2034
        4).
    """
    if code.__class__ is int and enhanced.__class__ is str and is_reply(code, enhanced, least):
        return
    takes = f"a reply code from {least} to 599"
    if not isinstance(code, int) or isinstance(code, bool):
        raise wrong_type("code", code, takes)
    if not least <= code <= 599:
        raise wrong_value("code", code, takes)
    takes = f"an enhanced status code such as '{code // 100}.7.1'"
    if not isinstance(enhanced, str):
        raise wrong_type("enhanced", enhanced, takes)
    if not is_reply(code, enhanced, least):
        raise wrong_value("enhanced", enhanced, takes)


def check_refusal(code: object, enhanced: object, text: object) -> None:
    """Check what the client would be told.

    :raises TypeError, ValueError: this is no reply that refuses something.
    """
    check_reply(code, enhanced, least=400)
    check_type("text", text, str, "a str")


@lru_cache(maxsize=256)
def is_reply(code: Any, enhanced: Any, least: int) -> bool:
    """Whether an `int` and a `str` are the codes of a reply; quick, because each recipient has an outcome."""
    return least <= code <= 599 and enhanced[:1] == str(code)[0] and bool(_ENHANCED.fullmatch(enhanced))


_ENHANCED = re.compile(r"[2-5]\.[0-9]{1,3}\.[0-9]{1,3}", re.ASCII)
"""RFC 3463 2; and 3, of replies that ask for more, which have no enhanced code of their own."""


def folder_of(name: str, value: object) -> str | None:
    """The path of a folder that exists; None if ``value`` is None.

    :raises TypeError: it is no path.
    :raises ValueError: there is no such folder.
    """
    takes = "the path of a folder that exists, or None"
    if value is None:
        return None
    path = text_path(name, value, takes)
    if not os.path.isdir(path):
        raise wrong_value(name, path, takes)
    return path


def text_path(name: str, value: object, takes: str) -> str:
    """A path as a `str`.

    :raises TypeError: it is no path.
    :raises ValueError: it is empty.
    """
    path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(path, str):
        raise wrong_type(name, value, takes)
    if not path:
        raise wrong_value(name, path, takes)
    return path


def check_words(name: str, value: object, example: str) -> None:
    """Check several texts.

    :raises TypeError: they are no list, tuple or other sequence of `str`; one str would be taken for its
        letters.
    :raises ValueError: there are none.
    """
    takes = f"a list such as [{example!r}]"
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise wrong_type(name, value, takes, f"write [{value!r}]" if isinstance(value, str) else "")
    for word in value:
        if not isinstance(word, str):
            raise wrong_type(f"each of {name or 'them'}", word, f"a str such as {example!r}")
    if not value:
        raise wrong_value(name, value, f"{takes}, with at least one")


def check_path(name: str, value: object, takes: str) -> None:
    """Check the path of a PEM file.

    :raises TypeError: it is no path.
    :raises ValueError: it is empty, or the file's content.
    """
    if "-----BEGIN" in text_path(name, value, takes):
        raise ValueError(f"{name} must be {takes}, not its content")


def check_places(name: str, value: object) -> None:
    """:raises TypeError: ``value`` is no list, tuple or other collection of (address, port)."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Collection):
        raise wrong_type(name, value, "a list such as [('127.0.0.1', 53)]")
    for place in value:
        is_pair = isinstance(place, (tuple, list)) and len(place) == 2
        if not is_pair or not isinstance(place[0], str) or not isinstance(place[1], int):
            raise wrong_type(f"each of {name}", place, "an IP address and a port")


def check_call(name: str, value: object, takes: str, arguments: int) -> None:
    """Check a function, as far as its signature can be known.

    :param takes: what it must be, such as "a function of a name".
    :param arguments: how many it is called with.
    :raises TypeError: it is none, or does not take so many.
    """
    if not callable(value):
        raise wrong_type(name, value, takes)
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):  # one that is written in C may not tell
        return
    try:
        signature.bind(*range(arguments))
    except TypeError:
        raise wrong_type(name, value, takes, f"it takes ({', '.join(signature.parameters)})") from None


def check_methods(name: str, value: object, takes: str, *methods: str) -> None:
    """Check an object for which there is no contract, so that tests may give another one.

    :raises TypeError: it is a class, or a method is missing.
    """
    if isinstance(value, type) or not all(callable(getattr(value, method, None)) for method in methods):
        raise wrong_type(name, value, takes)


def check_mapping(name: str, value: object) -> None:
    """:raises TypeError: ``value`` is no mapping."""
    kind = value.__class__
    if kind is not dict and kind is not MappingProxyType and not isinstance(value, Mapping):
        raise wrong_type(name, value, "a mapping")


def check_parameters(name: str, value: object) -> None:
    """:raises TypeError: ``value`` is no mapping of `str` to `str` or None."""
    check_mapping(name, value)
    for keyword, parameter in value.items():  # type: ignore[attr-defined]  # it is a mapping
        if not isinstance(keyword, str):
            raise wrong_type(f"each keyword of {name}", keyword, "a str")
        if parameter is not None and not isinstance(parameter, str):
            raise wrong_type(f"{keyword} of {name}", parameter, "a str or None")


def check_same_length(**columns: Sized) -> None:
    """Check the columns of one table.

    :raises TypeError: one is no sequence.
    :raises ValueError: they are not of the same length.
    """
    for name, column in columns.items():
        if not hasattr(column, "__len__"):
            raise wrong_type(name, column, "a sequence")
    *names, last = columns
    *lengths, length = (str(len(column)) for column in columns.values())
    if set(lengths) != {length}:
        are = f"{', '.join(names)} and {last} must be of the same length"
        raise ValueError(f"{are}, not {', '.join(lengths)} and {length}")


def check_flags(name: str, value: object) -> None:
    """:raises TypeError: ``value`` is no frozenset of `str`; a str itself would be a set of letters."""
    if not isinstance(value, frozenset) or not all(isinstance(flag, str) for flag in value):
        words = [value] if isinstance(value, str) else value if isinstance(value, (list, tuple, set)) else ()
        hint = f"write frozenset({{{', '.join(map(shown, words))}}})" if words else ""
        raise wrong_type(name, value, "a frozenset of str", hint)


def check_fields(values: Any) -> None:
    """Check the numbers of a dataclass of limits or timeouts by the types of its fields.

    An int is a whole number, and a float is a number of seconds; None is allowed where the type has it.  A
    field whose type is another dataclass must have a value of that class.  0 is allowed, but not in the
    fields that the class lists in ``ABOVE_0``.

    :raises TypeError, ValueError: a number is of the wrong type, too small, infinite or NaN.
    """
    for name, check in _checks_of(type(values)):  # type: ignore[arg-type]  # classes have hashes
        check(name, getattr(values, name))


Check = Callable[[str, object], None]


@lru_cache(maxsize=64)
def _checks_of(kind: Any) -> tuple[tuple[str, Check], ...]:
    hints = get_type_hints(kind)
    above_0 = getattr(kind, "ABOVE_0", ())
    checks = ((field.name, _check_of(hints[field.name], field.name in above_0)) for field in fields(kind))
    return tuple((name, check) for name, check in checks if check is not None)


def _check_of(hint: Any, above_0: bool) -> Check | None:
    """The check of a field; None if its type is none of those that are checked."""
    if isinstance(hint, type) and is_dataclass(hint):
        return lambda name, value: check_type(name, value, hint, f"of the class {hint.__name__}")
    if hint in (int, int | None):
        check: Check = partial(check_whole, least=int(above_0))
    elif hint in (float, float | None):
        check = partial(check_seconds, above_0=above_0)
    else:
        return None
    return check if hint in (int, float) else partial(_check_unless_none, check)


def _check_unless_none(check: Check, name: str, value: object) -> None:
    if value is not None:
        check(name, value)
