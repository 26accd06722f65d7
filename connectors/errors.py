"""What can go wrong while talking to a channel, by whether waiting can help.

ConnectorError
├── ChannelUnavailableError    transient: time-out, cut body, 5xx
│   └── RateLimitError         ... and the channel said how long to wait
├── RequestRejectedError       permanent: sending it again cannot help
│   ├── AuthenticationError    the credential is wrong or lacks a role or scope
│   └── CursorExpiredError     the page token died: begin the window again
├── DeferredError              the rate budget allows no more in this run; come back at `until`
├── ProtocolError              the channel broke its own rules: repeated page, oversized body, foreign link
└── ConfigurationError         the user has to set or mend something before anything is asked
"""

from datetime import datetime


class ConnectorError(Exception):
    """Anything that stops a read from a channel. The text names account, operation and what to do."""


class ChannelUnavailableError(ConnectorError):
    """Transient: the same request may succeed later."""


class RateLimitError(ChannelUnavailableError):
    """The channel asked us to slow down."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class RequestRejectedError(ConnectorError):
    """Permanent: the same request will be refused again."""


class AuthenticationError(RequestRejectedError):
    """The credential is wrong, expired for good, or lacks a role or scope."""


class CursorExpiredError(RequestRejectedError):
    """A page token was no longer accepted; the window has to be read again from its first page."""


class DeferredError(ConnectorError):
    """The rate budget is spent for longer than this run may wait."""

    def __init__(self, message: str, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class ProtocolError(ConnectorError):
    """The channel broke its own rules; going on would lose, double or leak data."""


class ConfigurationError(ConnectorError):
    """An account is not, half or wrongly set up; the text names the setting. Commands end with status 2."""
