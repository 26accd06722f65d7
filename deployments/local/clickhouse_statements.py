"""Just enough of ClickHouse's grammar to tell a statement from the data behind it."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    rb"""
    (?P<space>\s+|--[^\n]*(?:\n|\Z)|\#[! ][^\n]*(?:\n|\Z)|/\*.*?\*/)
  | (?P<quoted>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<other>\d\w*|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_NAME_FOLLOWS = (b"INTO", b"TABLE", b"FUNCTION", b".")
_COMPLETE_WITHOUT_DATA = (b"SELECT", b"WITH", b"WATCH", b"FROM")


@dataclass(frozen=True)
class Insert:
    """An INSERT that takes data. `head` is everything before FORMAT or VALUES; data starts at `data_at`."""

    head: bytes
    settings_at: int
    format: str
    data_at: int

    def from_file(self, name: str) -> bytes:
        """The same insert, reading `name` instead of what follows it."""
        before, after = self.head[: self.settings_at], self.head[self.settings_at :]
        return b"%s FROM INFILE '%s' %s FORMAT %s" % (before, name.encode(), after, self.format.encode())

    def without_data(self) -> bytes:
        """The statement alone, for asking what it would do."""
        return b"%s FORMAT %s" % (self.head, self.format.encode())


def split_insert(text: bytes) -> Insert | None:
    """The insert at the start of `text`, when data follows (or may follow) it; None for anything else."""
    depth, previous, settings_at, started = 0, b"", None, False
    format_at = None
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "space":
            continue
        token = match.group()
        word = token.upper() if match.lastgroup == "word" else token
        if not started:
            if word != b"INSERT":
                return None
            started = True
        elif format_at is not None:
            return Insert(
                text[:format_at],
                format_at if settings_at is None else settings_at,
                token.decode(errors="replace"),
                _line_after(text, match.end()),
            )
        elif word == b"(":
            depth += 1
        elif word == b")":
            depth -= 1
        elif depth == 0 and match.lastgroup == "word" and previous not in _NAME_FOLLOWS:
            if word in _COMPLETE_WITHOUT_DATA:
                return None
            if word == b"VALUES":
                at = match.start()
                return Insert(text[:at], at if settings_at is None else settings_at, "Values", match.end())
            if word == b"SETTINGS":
                settings_at = match.start()
            elif word == b"FORMAT":
                format_at = match.start()
        previous = word
    return None


def _line_after(text: bytes, at: int) -> int:
    """Where data begins after a format's name: past blanks and one line end, as ClickHouse reads it."""
    while text[at : at + 1] in (b" ", b"\t", b"\f"):
        at += 1
    if text[at : at + 2] == b"\r\n":
        return at + 2
    return at + 1 if text[at : at + 1] == b"\n" else at


def starts_insert(text: bytes) -> bool:
    """Whether the statement's first word is INSERT, or may become it once more of it has arrived."""
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "space":
            token = match.group().upper()
            return token == b"INSERT" or (match.end() == len(text) and b"INSERT".startswith(token))
    return True


def words(text: bytes) -> list[bytes]:
    """The statement's words and signs in upper case, names without their quotes, strings left out."""
    found = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        if match.lastgroup == "space" or token[:1] in (b"'", b"$"):
            continue
        found.append((token[1:-1] if match.group("quoted") else token).upper())
    return found


def output_format(text: bytes) -> str | None:
    """The format the statement itself asks for, by its last FORMAT clause outside parentheses."""
    depth, previous, found = 0, b"", None
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "space":
            continue
        token = match.group()
        depth += (token == b"(") - (token == b")")
        if depth == 0 and previous == b"FORMAT" and match.lastgroup == "word":
            found = token.decode()
        previous = token.upper()
    return found
