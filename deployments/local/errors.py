"""What can go wrong with a service on this machine, in words its user can act on."""


class LocalServiceError(Exception):
    """A local service cannot run. The text says what is wrong and what to do, in one line."""
