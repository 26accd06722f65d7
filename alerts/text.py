"""Marketplace text made inert for each place it is shown in. It is data from strangers, never markup.

HTML needs nothing here: the templates escape every value. Slack, e-mail headers, SMS and CSV do.
"""

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "|", "%", "＝", "＋", "－", "＠")


def one_line(text: object, longest: int | None = None) -> str:
    """The text on one line: control characters, line breaks and direction overrides become a space."""
    line = " ".join(_CONTROL.sub(" ", str(text)).split())
    line = line.encode("utf-8", "replace").decode("utf-8")  # lone surrogates cannot be sent
    return clip(line, longest) if longest else line


def clip(text: str, longest: int) -> str:
    """At most `longest` characters, the last one an ellipsis when something was cut."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def slack_text(text: object, longest: int | None = None) -> str:
    """Text for a Slack mrkdwn field: no mention, link or formatting can be made of it."""
    line = one_line(text, longest)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A zero-width space after each mark keeps it visible and stops Slack from pairing two of them.
    return re.sub(r"([*_~`])", "\\1\u200b", line)


def csv_cell(value: object) -> str:
    """A cell no spreadsheet runs as a formula. Numbers stay numbers, negative ones too."""
    if isinstance(value, int | float):
        return str(value)
    text = "" if value is None else str(value)
    text = text.replace("\0", "")
    stripped = text.lstrip(" ")
    return f"'{text}" if stripped.startswith(_FORMULA) else text


def csv_table(rows: list[list[object]]) -> str:
    """RFC 4180 text of the rows, every cell inert and quoted where it must be."""
    return "".join(",".join(_quoted(csv_cell(cell)) for cell in row) + "\r\n" for row in rows)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\r\n') else cell


# -- SMS -------------------------------------------------------------------------------------------

_GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_TWICE = frozenset("^{}\\[~]|€\f")  # an escape and the character: two septets
_PLAIN = str.maketrans({
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
    "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-", "…": "...", "•": "*", "·": "-", "×": "x", "÷": "/",
    "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u200b": "", "™": "(TM)", "®": "(R)", "©": "(C)",
    "`": "'", "´": "'", "¹": "1", "²": "2", "³": "3", "½": "1/2", "¼": "1/4", "¾": "3/4", "°": " deg",
    "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "œ": "oe", "Œ": "OE", "ð": "d", "þ": "th", "ẞ": "SS",
    "≥": ">=", "≤": "<=", "→": "->", "←": "<-", "µ": "u", "№": "No.", "\t": " ",
})  # fmt: skip


def gsm7(text: str) -> str:
    """The text in the GSM-7 alphabet: accents it lacks are dropped, what has no equivalent becomes "?".

    One character outside the alphabet would more than halve what fits into a segment.
    """
    kept: list[str] = []
    for character in text.translate(_PLAIN):
        if character in _GSM7 or character in _GSM7_TWICE:
            kept.append(character)
            continue
        bare = "".join(c for c in unicodedata.normalize("NFKD", character) if c in _GSM7 or c in _GSM7_TWICE)
        if bare:
            kept.append(bare)
        elif unicodedata.category(character) in {"So", "Sk", "Mn", "Cf", "Cc", "Co", "Cn", "Cs"}:
            continue  # a picture, a modifier or something invisible: nothing is lost without it
        elif not kept or kept[-1] != "?":
            kept.append("?")
    return re.sub(" {2,}", " ", "".join(kept))


def septets(text: str) -> int:
    """Length of a GSM-7 text in septets."""
    return len(text) + sum(character in _GSM7_TWICE for character in text)


def sms_segments(text: str) -> int:
    """How many segments a text is charged as: GSM-7 160 then 153 each, UCS-2 70 then 67 each."""
    if all(character in _GSM7 or character in _GSM7_TWICE for character in text):
        return _gsm7_segments(text)
    units = len(text.encode("utf-16-be")) // 2
    return 1 if units <= 70 else -(-units // 67)


def _gsm7_segments(text: str) -> int:
    if septets(text) <= 160:
        return 1
    segments, used = 1, 0
    for character in text:
        size = 2 if character in _GSM7_TWICE else 1
        if used + size > 153:  # an escape sequence is never split over two segments
            segments, used = segments + 1, 0
        used += size
    return segments


def fit_sms(body: str, tail: str = "", segments: int = 3) -> str:
    """`body` and `tail` in GSM-7, in at most so many segments; the body is cut, the tail never is."""
    body, tail = gsm7(body).strip(), gsm7(tail).strip()
    joined = f"{body} {tail}".strip()
    while body and sms_segments(joined) > segments:
        body = body[: -max(1, septets(joined) - 153 * segments)].rstrip(" .")
        joined = f"{body}... {tail}".strip()
        if not body:
            break
    return joined
