"""What content is, beside a plain reference, however it is kept."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.smtp.client._content import _Count, data_pieces, examine, whole_data
from mailproto.smtp.wire import LineEnds

CONTENT = st.text("a.\r\n\0ß", max_size=12).map(str.encode)


class OctetsTests(SynchronousTestCase):
    @settings(max_examples=1000, deadline=None)
    @given(CONTENT, st.integers(0, 12), st.booleans())
    def test_beside_what_is_sent(self, content: bytes, cut: int, is_binary: bool) -> None:
        *_, octets = examine(content, is_binary=is_binary)
        assert octets is not None
        has_bare = re.search(rb"\r(?!\n)|(?<!\r)\n", content) is not None
        self.assertEqual(octets.is_binary, b"\0" in content or (is_binary and has_bare))
        ends = LineEnds()
        sent = content if octets.is_binary else ends.encode(content) + ends.finish()
        self.assertEqual(octets.size, len(sent))
        self.assertEqual(octets.is_ascii, content.isascii())
        if not octets.is_binary:
            self.assertEqual(octets.is_canonical, sent == content)
        count = _Count()
        count.add(content[:cut])
        count.add(content[cut:])
        in_pieces = count.info(is_binary=is_binary)
        self.assertEqual(in_pieces._replace(header_is_ascii=octets.header_is_ascii), octets)
        if octets.is_canonical:
            self.assertEqual(whole_data(content), b"".join(data_pieces(content)))
