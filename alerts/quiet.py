"""Keeps what libraries log about our requests out of the logs: keys, webhook URLs, addresses, texts.

A filter on the logger itself holds whatever the logging configuration says later; a level or `disabled` is
undone by it.
"""

import logging


class _Without(logging.Filter):
    """Drops records that mention one of the fragments; an empty fragment drops all."""

    def __init__(self) -> None:
        super().__init__()
        self.fragments: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        return not any(fragment in text for fragment in self.fragments)


_filters: dict[str, _Without] = {}


def drop(logger: str, fragment: str = "") -> None:
    """From now on this logger says nothing that contains the fragment; nothing at all without one."""
    if logger not in _filters:
        _filters[logger] = _Without()
        logging.getLogger(logger).addFilter(_filters[logger])
    _filters[logger].fragments.add(fragment)
