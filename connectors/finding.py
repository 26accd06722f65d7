"""What a look at a seller account found, for `wharf doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`subject` is what was looked at; `advice` says what to do when it is not well."""

    subject: str
    ok: bool
    text: str
    advice: str = ""
