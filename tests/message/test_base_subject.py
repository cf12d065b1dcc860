"""`base_subject` beside RFC 5256 2.1 as it is written there, step by step over the ABNF of its section 5."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from mailproto.message import base_subject

_BLOB = r"\[[^\[\]\0]*\][ \t]*"
_blob = re.compile(_BLOB)
_leader = re.compile(rf"(?:{_BLOB})*(?:re|fwd?)[ \t]*(?:{_BLOB})?:|[ \t]", re.IGNORECASE)
_trailer = re.compile(r"(?:\(fwd\)|[ \t])\Z", re.IGNORECASE)
_forward = re.compile(r"\[fwd:(.*)\]", re.IGNORECASE).fullmatch

_PIECES = [
    "re", "Re:", "RE", "fwd", "fw", "FW:", "[fwd:", "]", "[", "[a]", "[]", "[b] ", " ", "\t", "(fwd)",
    "(FWD)", ":", "x", "\u0130", "\u00e9", "re[2]:", "Fwd [x] :", "\r\n ", "(", "fwd)",
]  # fmt: skip


def as_written(text: str) -> str:
    text = re.sub(r"[ \t\r\n]+", " ", text)
    while True:
        while match := _trailer.search(text):  # (2)
            text = text[: match.start()]
        before = None
        while before != text:  # (5)
            before = text
            while match := _leader.match(text):  # (3)
                text = text[match.end() :]
            if (match := _blob.match(text)) and text[match.end() :]:  # (4)
                text = text[match.end() :]
        if not (match := _forward(text)):  # (6)
            return text
        text = match[1]


class BaseSubjectTests(TestCase):
    @settings(max_examples=400, deadline=None)
    @given(st.lists(st.sampled_from(_PIECES), max_size=14).map("".join))
    def test_it_is_what_the_steps_give(self, subject: str) -> None:
        self.assertEqual(base_subject(subject.encode()), as_written(subject.strip("\r\n")))

    def test_a_letter_that_grows_in_lower_case(self) -> None:
        self.assertEqual(base_subject("Re: [FWD: \u0130 (FWD)]".encode()), "\u0130")
