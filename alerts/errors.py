"""What can go wrong before anything is sent. A failed delivery is not an exception but a `Delivery`."""


class AlertError(Exception):
    """Anything the alerts package raises. The text says what to do."""


class AlertConfigError(AlertError):
    """Settings, thresholds or routes are wrong: fix the file or the environment variable it names."""


class ForbiddenAddressError(AlertError):
    """A webhook address leads into a private network, or is no https address."""


class SignatureError(AlertError):
    """A webhook or link was not signed by who it says, was changed, or is too old. Answer 401, do nothing."""
