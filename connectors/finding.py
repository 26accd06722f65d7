"""What a look at a seller account, or at anything else Wharf needs, found: for `wharf doctor`."""

from dataclasses import dataclass
from typing import Literal

from connectors.errors import ChannelUnavailableError, DeferredError, RateLimitError

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


def unanswered(subject: str, error: Exception, advice: str) -> Finding:
    """A look that ended with `error`. `advice` is for what a person must mend; being busy or down passes by itself."""
    if isinstance(error, RateLimitError | DeferredError):
        advice = "nothing to mend: too many requests just now; look again in a few minutes"
        return Finding(subject, False, str(error).strip(), advice, grave=False)
    if isinstance(error, ChannelUnavailableError):
        advice = "try again; if it stays, look at the platform's status page"
    return Finding(subject, False, str(error).strip(), advice)
