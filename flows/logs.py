"""What may stand in a log line, and how lines are written.

Every record of this process passes here when it is made, whatever logger or handler it is for, third-party ones
included: secrets we know or recognise, e-mail addresses and the password of a database URL are taken out, line
breaks too, so that a record is a line and nobody can forge another.

With WHARF_LOG_FORMAT=json our own loggers also write one JSON object a record to stderr, with the run, account,
resource and window it belongs to.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings

OURS = ("flows", "connectors", "warehouse", "models", "alerts", "deployments")
_SHORTEST_SECRET = 8  # a shorter one would blacken ordinary words
_HIDDEN = "***"
_PATTERNS = (
    (re.compile(r"(?i)(://[^/\s:@]*:)[^/\s@]+@"), rf"\1{_HIDDEN}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/|=-]{8,}"), rf"\1 {_HIDDEN}"),
    (re.compile(r"\b(?:Atz[ar]\||shp(?:at|ca|pa|ss|ua)_|SG\.|whsec_)[A-Za-z0-9._|/+=-]{6,}"), _HIDDEN),
    (
        re.compile(
            r"(?i)\b((?:access|refresh)_token|client_secret|api_?key|password)(\W{1,4})[^\s&'\",}]{4,}"
        ),
        rf"\1\2{_HIDDEN}",
    ),
    (re.compile(r"\b[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "(address)"),
)
_LINE_BREAKS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]+")

_about: ContextVar[dict[str, str]] = ContextVar("about", default={})  # noqa: B039 never changed in place


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Records made within say what they are about: `run`, `account`, `resource`, `window`."""
    token = _about.set(
        {**_about.get(), **{name: str(value) for name, value in fields.items() if value is not None}}
    )
    try:
        yield
    finally:
        _about.reset(token)


def inert(text: str) -> str:
    """`text` without secrets and addresses."""
    for secret in _secrets():
        text = text.replace(secret, _HIDDEN)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def told(error: BaseException) -> str:
    """What an error says, for the run ledger."""
    return inert(f"{type(error).__name__}: {error}")


@cache
def install() -> None:
    """Make every record of this process pass here. Called when `flows` is imported; once is enough."""
    inner = logging.getLogRecordFactory()

    def make(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = inner(*arguments, **named)
        try:
            record.msg = _LINE_BREAKS.sub(" ", inert(record.getMessage()))
        except (TypeError, ValueError, KeyError):
            record.msg = f"(a log line that does not fit its arguments: {record.pathname}:{record.lineno})"
        record.args = None
        if isinstance(record.exc_info, tuple) and record.exc_info[0] is not None:
            record.exc_text = inert("".join(traceback.format_exception(*record.exc_info)).rstrip())
        record.about = _about.get()
        return record

    logging.setLogRecordFactory(make)
    from flows.settings import WharfSettings

    try:
        wanted = WharfSettings().log_format
    except ValueError:  # a wrong setting is told where settings are used, not here
        return
    if wanted == "json":
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonLines())
        for name in OURS:
            logger = logging.getLogger(name)
            logger.addHandler(handler)
            logger.setLevel(min(logger.level or logging.INFO, logging.INFO))


class JsonLines(logging.Formatter):
    """One JSON object a record: at, level, logger, message, what it is about, and the error where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "about", {}),
        }
        if record.exc_text:
            line["error"] = record.exc_text
        return json.dumps(line, ensure_ascii=False)


def forget() -> None:
    """Read the secrets anew, after settings changed."""
    _secrets.cache_clear()


@cache
def _secrets() -> tuple[str, ...]:
    """Every secret of the settings, longest first."""
    from alerts.settings import AlertSettings
    from connectors.settings import ConnectorSettings
    from flows.settings import WharfSettings

    found: set[str] = set()
    kinds: tuple[type[BaseSettings], ...] = (WharfSettings, ConnectorSettings, AlertSettings)
    for kind in kinds:
        try:
            settings = kind()
        except ValueError:
            continue
        found |= {
            value.get_secret_value()
            for _, value in settings
            if isinstance(value, SecretStr) and value.get_secret_value()
        }
    found |= _of_accounts()
    return tuple(
        sorted((secret for secret in found if len(secret) >= _SHORTEST_SECRET), key=len, reverse=True)
    )


def _of_accounts() -> set[str]:
    from connectors.settings import accounts
    from flows import connections

    try:
        # Secret blocks are never loaded from here: loading logs. Once they are, their values are known.
        loaded = connections.accounts.cache_info().currsize
        known = list(connections.accounts().values()) if loaded else accounts()
    except Exception:  # noqa: BLE001 logging must not fail for a setting that is wrong
        return set()
    return {secret.get_secret_value() for account in known for secret in account.credentials.values()}
