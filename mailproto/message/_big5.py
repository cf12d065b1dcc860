"""The differences between the WHATWG Encoding Standard's index of Big5 and Python's ``big5hkscs``.

They are made from the standard's ``index-big5.txt``; `tests.message.test_encodings` compares the
whole index.  The standard has HKSCS of 2008 (Python has that of 2004), ETEN's pictures of control
characters, and Microsoft's euro sign.  HKSCS has moved some characters; both codes are read, because
mail has both.
"""

from __future__ import annotations

__all__ = ["BIG5_ADDED", "BIG5_CHANGED"]

# Each run begins with the code of its first character.
_ADDED = """
877A㡵𡵓𣚞𦀡㻬𥣞㫵竼龗𤅡𨤍𣇪𠪊𣉞䌊蒄龖鐯䤰蘓墖靊鈘秐
87B4稲晠権袝瑌篅枂稬剏遆㓦珄𥶹瓆鿇垳䤯呌䄱𣚎堘穲𧭥讏 87CC䚮𦺈䆁𥶙箮𢒼鿈𢓁𢓉𢓌鿉蔄𣖻䂴鿊䓡𪷿拁灮鿋 8E69箸
8E6F簆 8E7E糎 8EAB緒 8EB4縝 8ECD者 8ED0耨 8F57菁 8F69蒨 8F6E萏 8FCB覦覩 8FFE起 906D都 907A銹 90DC靜
90F1響 91BF鼖 9244蔃 92AF兙兛兝兞 92C8鍮 92D1瑹 9447浧 94CA禛 95D9邗 9644靝 96ED瀞 96FC嬨 9B76爁 9B78矗
9B7B纇 9BC6駖 9BDE釔 9BEC惞 9BF6澶 9C42輶 9C53侻 9C62營 9C68鄄 9C6B鷰 9C77菏 9CBC尐秣 9CD0婧 9D57輋
9D5A筑 9DC4拐 9EA9恢 9EEF痹 9EFD汊 9F60鬮 9F66鼗 9FCB僭 9FD8弌 A063蠏 A077拎 A0D5瑨 A0DF煢 A0E4牐
A3C0␀␁␂␃␄␅␆␇␈␉␊␋␌␍␎␏␐␑␒␓␔␕␖␗ A3D8␘␙␚␛␜␝␞␟␡€ C6CF廴 C6D3无 C6D5癶 C6D7隶 C6DE〃仝 FA5F倩 FA66偽 FABD包
FAC5卄 FAD5卿 FB48嘅 FBB8婷 FBF3幵 FBF9廐 FC4F彘 FC6C悤 FCB9撐 FCE2晴 FCF1杞 FDB7沜渝 FDBB港 FDF1煮
FE52猪 FE6F瑜 FEAA瓩 FEDD砉
"""


def _trails(lead: int, trail: int) -> tuple[int, int]:
    """The next code after ``lead`` and ``trail``."""
    if trail == 0xFE:
        return lead + 1, 0x40
    return lead, 0xA1 if trail == 0x7E else trail + 1


def _read(runs: str) -> dict[bytes, str]:
    found = {}
    for run in runs.split():
        lead, trail = bytes.fromhex(run[:4])
        for character in run[4:]:
            found[bytes((lead, trail))] = character
            lead, trail = _trails(lead, trail)
    return found


BIG5_ADDED = _read(_ADDED)
"""Characters that the standard adds, by their codes."""

BIG5_CHANGED = {
    "\N{BULLET}": "\N{HYPHENATION POINT}",
    "\N{HALFWIDTH IDEOGRAPHIC COMMA}": "\N{SMALL IDEOGRAPHIC COMMA}",
    "\N{OVERLINE}": "\N{MACRON}",
    "\N{TILDE OPERATOR}": "\N{FULLWIDTH TILDE}",
    "\N{EARTH}": "\N{CIRCLED PLUS}",
    "\N{SUN}": "\N{CIRCLED DOT OPERATOR}",
    "\N{YEN SIGN}": "\N{FULLWIDTH YEN SIGN}",
    "\N{CENT SIGN}": "\N{FULLWIDTH CENT SIGN}",
    "\N{POUND SIGN}": "\N{FULLWIDTH POUND SIGN}",
}
"""Characters that Python has for a code, and the character that the standard has for it."""
