"""What `wharf doctor` looks at, one check a function: each gives findings and leaves everything as it was.

A check that cannot be made is a finding, never an exception. Nothing here shows a credential.
"""

import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from connectors.base import Account
from connectors.finding import Finding

if TYPE_CHECKING:
    from deployments.local.stack import DataServices

NEEDED_BYTES, COMFORTABLE_BYTES = 1 * 2**30, 5 * 2**30
# Amazon refuses windows that end less than 2 minutes ago; a clock that far off asks for the future.
BAD_SKEW, NOTICEABLE_SKEW = 90.0, 10.0
PROBE_WAIT_SECONDS = 20.0


def machine() -> Iterator[Finding]:
    """Python and the platform."""
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        yield Finding("python", True, f"{version} on {platform.system()} {platform.machine()}")
    else:
        yield Finding("python", False, f"{version} is not supported", "use Python 3.11, 3.12 or 3.13")
    if platform.system() not in ("Linux", "Darwin"):
        yield Finding(
            "platform",
            False,
            f"the embedded databases do not run on {platform.system()}",
            "set DATABASE_URL and CLICKHOUSE_URL, or use Linux, macOS or WSL",
        )


def disk(home: Path) -> Iterator[Finding]:
    """Whether WHARF_HOME can be written to, and how much fits there."""
    place = home
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        free = shutil.disk_usage(place).free
        tempfile.TemporaryFile(dir=place).close()  # gone at once: only whether it can be made
    except OSError as error:
        advice = "make it writable, or set WHARF_HOME to a folder that is"
        yield Finding("disk", False, f"{home} cannot be written to: {error.strerror}", advice)
        return
    text = f"{free / 2**30:.1f} GB free at {home}"
    if free < COMFORTABLE_BYTES:
        grave = free < NEEDED_BYTES
        yield Finding(
            "disk",
            False,
            text,
            "make room, or set WHARF_HOME to a larger disk; two years need a few GB",
            grave,
        )
    else:
        yield Finding("disk", True, text)


def secret_files(home: Path, *, shared: bool) -> Iterator[Finding]:
    """Files with secrets that others on this machine may read; grave where the installation is `shared`."""
    from deployments.secret_key import is_open

    for path in (home / "secret.key", home / "prefect.password", Path(".env")):
        if is_open(path):
            text = f"{path} can be read by others on this machine"
            advice = f"chmod 600 {path}, and renew what they may have seen"
            yield Finding("secrets", False, text, advice, grave=shared)


def clocks(accounts: Sequence[Account]) -> Iterator[Finding]:
    """How far this machine's clock is from those of the hosts the accounts talk to."""
    skews = [skew for url in sorted({account.api_url for account in accounts}) if (skew := _skew(url))]
    if not skews:
        return
    host, seconds = min(skews, key=lambda skew: abs(skew[1]))
    if abs(seconds) < NOTICEABLE_SKEW:
        yield Finding("clock", True, f"agrees with {host}")
        return
    text = f"this machine's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} {host}'s"
    advice = "turn on time synchronisation (timedatectl set-ntp true)"
    yield Finding("clock", False, text, advice, grave=abs(seconds) >= BAD_SKEW)


def _skew(url: str) -> tuple[str, float] | None:
    """(host, seconds we are ahead) by the Date header of a request without credentials; None: no answer."""
    import httpx

    parts = urlsplit(url)
    host = parts.hostname or ""
    before = datetime.now(UTC)
    try:
        # Any status will do: what is wanted is the header.
        answer = httpx.head(f"{parts.scheme}://{parts.netloc}/", timeout=10, trust_env=not _is_local(url))
        theirs = parsedate_to_datetime(answer.headers["date"])
    except (httpx.HTTPError, KeyError, ValueError, TypeError):
        return None
    ours = before + (datetime.now(UTC) - before) / 2
    return host, (ours - theirs.astimezone(UTC)).total_seconds()


def databases(home: Path, database_url: str | None, clickhouse_url: str | None) -> Iterator[Finding]:
    """Whether both databases answer (embedded ones are started) and have the tables this code knows."""
    from deployments.local.errors import LocalServiceError
    from deployments.local.stack import data_services

    try:
        with data_services(home, database_url=database_url, clickhouse_url=clickhouse_url) as services:
            yield _revision("postgres", services, embedded=not database_url)
            yield _revision("clickhouse", services, embedded=not clickhouse_url)
    except (LocalServiceError, OSError) as error:
        yield Finding("databases", False, one_line(error), f"see {home / 'logs'}")
    if clickhouse_url and clickhouse_url.startswith("http://") and not _is_local(clickhouse_url):
        yield Finding(
            "clickhouse",
            False,
            "CLICKHOUSE_URL sends its password in clear",
            "use https://, or keep it inside a network of your own",
            grave=False,
        )


def _revision(name: str, services: "DataServices", *, embedded: bool) -> Finding:
    from warehouse import schema

    source = (
        "the embedded one" if embedded else {"postgres": "DATABASE_URL", "clickhouse": "CLICKHOUSE_URL"}[name]
    )
    try:
        if name == "postgres":
            found = schema.current(services.database_url, None).postgres
        else:
            found = schema.current(services.database_url, services.clickhouse_url).clickhouse
    except Exception as error:  # noqa: BLE001 drivers raise what they like; whatever it is, it does not answer
        advice = (
            "look at the logs in WHARF_HOME"
            if embedded
            else f"check that the server runs and that {source} has its host, port, user, password and database"
        )
        return Finding(name, False, f"{source} does not answer: {one_line(error)}", advice)
    if found is None:
        return Finding(
            name, True, f"{source}, still empty; the first command that needs its tables makes them"
        )
    if found == schema.head(name):
        return Finding(name, True, f"{source}, at the newest schema ({found})")
    text = f"{source} has schema {found}, this code {schema.head(name)}"
    return Finding(
        name, False, text, "run `wharf migrate`; where that says it is newer, update Wharf", grave=False
    )


def prefect(url: str | None, auth: str | None) -> Iterator[Finding]:
    """Whether the Prefect server of PREFECT_API_URL answers, and takes what we say; nothing when none is set."""
    import httpx

    from deployments import prefect_client

    if not url:
        return
    advice = "start it (`wharf up` does), or unset PREFECT_API_URL; it ends with /api"
    try:
        with prefect_client.api(url, auth) as api:
            answer = api.get("/health")
            well = answer.is_success and answer.json() is True
            refused = well and api.get("/admin/version").status_code == httpx.codes.UNAUTHORIZED
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        yield Finding("prefect", False, f"{url} does not answer: {one_line(error)}", advice)
        return
    if refused:
        advice = "set it to what the server was started with (PREFECT_SERVER_API_AUTH_STRING)"
        yield Finding("prefect", False, f"{url} refuses PREFECT_API_AUTH_STRING", advice)
    elif well:
        yield Finding("prefect", True, "its server answers")
    else:
        text = f"{url} answers {answer.status_code}, and not as Prefect does"
        yield Finding("prefect", False, text, advice)


def providers() -> Iterator[Finding]:
    """Which ways of notifying are set up, and whether anybody would hear."""
    from alerts.errors import AlertError
    from alerts.settings import load_settings

    try:
        settings = load_settings()
        recipients = settings.routes().recipients
        settings.thresholds()
    except (AlertError, OSError) as error:
        yield Finding("alerts", False, one_line(error), "mend that setting")
        return
    ways = {
        "e-mail": settings.sendgrid_api_key,
        "text messages": settings.twilio_auth_token,
        "Slack": settings.slack_webhook_url,
        "webhook": settings.alert_webhook_url,
    }
    known = [name for name, secret in ways.items() if secret]
    if not known:
        advice = "set SENDGRID_API_KEY, TWILIO_ACCOUNT_SID, SLACK_WEBHOOK_URL or ALERT_WEBHOOK_URL; see .env.example"
        yield Finding("alerts", False, "nobody is told: no provider is configured", advice, grave=False)
    elif not recipients:
        advice = "set WHARF_ALERT_EMAIL or WHARF_ALERT_PHONE, or WHARF_ROUTES_FILE"
        yield Finding("alerts", False, f"{', '.join(known)}, but nobody to tell", advice, grave=False)
    else:
        names = ", ".join(recipient.name for recipient in recipients)
        yield Finding("alerts", True, f"{', '.join(known)} for {names}")
    if known and settings.wharf_public_url is None:
        advice = "set WHARF_PUBLIC_URL to where people reach Wharf"
        yield Finding("alert links", False, "messages cannot be acknowledged by a click", advice, grave=False)


def account(seller: Account, now: datetime) -> Iterator[Finding]:
    """What the account's own probe finds. Waits little: a limit that is used up is a finding."""
    from connectors import registry
    from connectors.client import Limits
    from connectors.errors import ConnectorError
    from flows import connections

    patience = Limits(attempts=2, max_wait=PROBE_WAIT_SECONDS)
    try:
        tokens = connections.tokens() if connections.settings().database_url else None
        with registry.open_client(seller, limits=patience, tokens=tokens) as client:
            yield from registry.probe(client, now)
    except (ConnectorError, OSError) as error:
        yield Finding("account", False, one_line(error), "try again; if it stays, report it with --debug")


def one_line(error: BaseException) -> str:
    """An error's text on one line, without addresses' passwords."""
    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"//[^/@\s]*@", "//…@", text)[:300]


def _is_local(url: str) -> bool:
    return (urlsplit(url).hostname or "") in ("localhost", "127.0.0.1", "::1")
