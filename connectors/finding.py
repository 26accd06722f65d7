"""What a look at a seller account, or at anything else Wharf needs, found: for `wharf doctor`."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """`subject` is what was looked at; `advice` says what to do when it is not well.

    What is not `grave` leaves something out, but nothing wrong gets in and no sync fails for it.
    """

    subject: str
    ok: bool
    text: str
    advice: str = ""
    grave: bool = True

    @property
    def level(self) -> Level:
        """How bad it is."""
        if self.ok:
            return "ok"
        return "fail" if self.grave else "warn"
