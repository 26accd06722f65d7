"""Every message the receivers took, in memory, as JSON lines, and as files a person can open."""

import base64
import json
import re
import threading
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any


@dataclass
class Entry:
    """One accepted message. `details` is what the provider was given, without credentials."""

    number: int
    way: str
    provider_id: str
    received_at: str
    to: str
    title: str
    text: str
    files: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)


class Ledger:
    """Append-only, and safe to use from several threads. A folder that has entries is read at start."""

    def __init__(self, inbox: Path) -> None:
        self.inbox = inbox
        inbox.mkdir(parents=True, exist_ok=True)
        self._file = inbox / "ledger.jsonl"
        self._lock = threading.Lock()
        lines = self._file.read_text("utf-8").splitlines() if self._file.exists() else []
        self.entries = [Entry(**json.loads(line)) for line in lines if line.strip()]

    def record(
        self,
        way: str,
        provider_id: str,
        to: str,
        title: str,
        text: str,
        details: dict[str, Any],
        files: dict[str, bytes] | None = None,
    ) -> Entry:
        """Keeps a message; `files` maps a suffix (`.html`) to its content."""
        with self._lock:
            number = len(self.entries) + 1
            stem = f"{number:04}-{way}-{_slug(title)}"
            names = []
            for suffix, content in (files or {}).items():
                (self.inbox / f"{stem}{suffix}").write_bytes(content)
                names.append(f"{stem}{suffix}")
            entry = Entry(
                number, way, provider_id, datetime.now(UTC).isoformat(), to, title, text, names, details
            )
            self.entries.append(entry)
            with self._file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")
            return entry

    def of(self, way: str) -> list[Entry]:
        """Messages of one way, oldest first."""
        return [entry for entry in self.entries if entry.way == way]

    def found(self, provider_id: str) -> Entry | None:
        """The message with this id."""
        return next((entry for entry in self.entries if entry.provider_id == provider_id), None)


def email_files(body: dict[str, Any], to: list[str]) -> dict[str, bytes]:
    """Files of an e-mail: `.eml` for a mail program; `.html` with its pictures inline; `.txt`; attachments."""
    parts = {part["type"]: part["value"] for part in body["content"]}
    html, text = parts.get("text/html", ""), parts.get("text/plain", "")
    mail = EmailMessage()
    mail["From"], mail["To"] = body["from"]["email"], ", ".join(to)
    mail["Subject"] = body.get("subject") or body["personalizations"][0].get("subject", "")
    mail["Date"] = datetime.now(UTC)
    for name, value in (body.get("headers") or {}).items():
        mail[name] = value
    mail.set_content(text or "(no plain text)")
    if html:
        mail.add_alternative(html, subtype="html")
    files: dict[str, bytes] = {}
    shown = html
    for item in body.get("attachments") or []:
        content = base64.b64decode(item["content"])
        kind = item.get("type") or "application/octet-stream"
        main, _, sub = kind.partition("/")
        if item.get("disposition") == "inline" and item.get("content_id") and html:
            *_, related = mail.iter_parts()
            related.add_related(content, main, sub, cid=f"<{item['content_id']}>")
            inline = f"data:{kind};base64,{base64.b64encode(content).decode()}"
            shown = shown.replace(f"cid:{item['content_id']}", inline)
        else:
            mail.add_attachment(content, maintype=main, subtype=sub, filename=item["filename"])
        files["-" + re.sub(r"[^A-Za-z0-9._-]", "_", item["filename"])] = content
    files[".eml"] = mail.as_bytes()
    if html:
        files[".html"] = shown.encode()
    if text:
        files[".txt"] = text.encode()
    return files


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:50] or "message"
