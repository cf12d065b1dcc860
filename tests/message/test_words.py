"""A search for one word, which leaves out texts that surely do not have it, finds what any search finds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.message import Searchable, scan, search_key
from mailproto.message._casemap import casemap, searched_text
from mailproto.message._html import html_text, may_show

PIECES = [
    *(
        "ab",
        "b",
        "A",
        "1",
        " ",
        "\r\n ",
        "\u00e9",
        "e",
        "\u0301",
        "\u00ad",
        "\ufb01",
        "fi",
        "\u0131",
        "\u00df",
    ),
    *("\u0149", "\u00bd", "\uff41", "\u660e", "\U0001f600", "\u00e1", "\u01c6", "\0", "*", "?", "=", "\x1b"),
    *(
        "<",
        ">",
        "<b>",
        "</b>",
        "<p>",
        "<br/>",
        "<!-- b -->",
        "<!",
        "<?x>",
        "</ ",
        "<bx>",
        "<wbr/",
        "<a b='>'>",
    ),
    *(
        "<script>b</script>",
        "<title>",
        "</title>",
        "<STYLE>",
        "&",
        ";",
        "&amp;",
        "&nbsp;",
        "&#98;",
        "&b",
        "&eacute;",
    ),
    *(
        "&shy;",
        "&lt",
        "amp;",
        "#98;",
        "=?utf-8?q?ab?=",
        "=?utf-8?b?YQ==?=",
        "=?utf-8?q?=C3=A1?=",
        "=61",
        "=\r\n",
    ),
    *("filename*=utf-8''%61b", "name*0=a; name*1=b", "+AGE-", "~{", "\x1b$B"),
]
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
words = st.one_of(
    st.text("abei1AFN", min_size=1, max_size=4), st.sampled_from(["AB", "BA", "FI", "CAFE", "1", "2"])
)
kinds = st.sampled_from(
    [
        "text/plain",
        "text/plain; charset=utf-8",
        "text/html",
        "text/html; charset=utf-8",
        "text/plain; charset=utf-7",
        "text/html; charset=iso-2022-jp",
        "text/plain; charset=utf-16le",
        "message/rfc822",
        "application/x-ab",
        "message/delivery-status",
        'multipart/mixed; boundary="b"',
    ]
)
encodings = st.sampled_from(["7bit", "8bit", "quoted-printable", "base64", "x-ab"])


class WordTests(SynchronousTestCase):
    @given(texts, kinds, encodings, texts, words)
    @settings(max_examples=400, deadline=None)
    def test_all_searches_find_the_same(
        self, subject: str, kind: str, encoding: str, body: str, word: str
    ) -> None:
        header = f"Subject: {subject}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n"
        header += f"Content-Disposition: attachment; {subject}\r\n" if "*" in subject else ""
        start = "--b\r\nX: y\r\n\r\n" if "multipart" in kind else ""
        content = (header + "\r\n" + start + body).encode()
        index = scan(content)
        key = search_key(word)
        whole, quick = Searchable(content, index), Searchable(content, index, [key])
        self.assertEqual(quick.in_body(key), whole.in_body(key))
        self.assertEqual(quick.in_text(key), whole.in_text(key))

    @given(texts, words)
    @settings(max_examples=400, deadline=None)
    def test_html_that_may_show_a_word(self, source: str, word: str) -> None:
        word = search_key(word)
        if word in searched_text(html_text(source)):
            self.assertTrue(may_show(source, word))

    def test_most_html_surely_does_not_show_it(self) -> None:
        source = "<html><meta charset=utf-8><p class=x>Caf\u00e9 &amp; <b>bar</b>&nbsp;today</p>" * 9
        for word, may in (("ZYZZYVA", False), ("TO", True), ("BAR", True), ("CAFE", True), ("CAFES", False)):
            self.assertEqual(may_show(source, word), may, word)

    @given(st.text(st.characters() | st.sampled_from("aZ\u00df\u0301\u0323\u0130\uac00\u00ad"), max_size=60))
    def test_runs_are_mapped_as_the_whole_text(self, text: str) -> None:
        seen = "".join(each for each in text if searched_text(each))
        self.assertEqual(searched_text(text), casemap(seen))
