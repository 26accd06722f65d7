"""Slack by incoming webhook. Its URL is a secret: messages carry only the name it has in the settings."""

import json
from collections.abc import Mapping
from datetime import datetime

from alerts import http_post, quiet, render
from alerts.senders import Delivery, Outgoing, by_status
from alerts.text import one_line

# What Slack says, and nobody can help by waiting.
_GONE = frozenset(
    "no_service no_service_id no_active_hooks no_team team_disabled channel_not_found channel_is_archived "
    "action_prohibited posting_to_general_channel_denied user_not_found invalid_token".split()
)


class SlackSender:
    """Posts Block Kit messages. Slack offers neither a key against repeats nor a look-up."""

    way = "slack"
    repeatable = False

    def __init__(self, urls: Mapping[str, str], *, timeout_seconds: float = 20) -> None:
        self._urls = dict(urls)
        self._http = http_post.client(timeout_seconds)
        for url in urls.values():
            quiet.drop("httpx", url)  # it logs every URL at INFO

    def send(self, message: Outgoing, now: datetime) -> Delivery:
        """`ok` is delivered; a named refusal is permanent; 429 waits as long as Slack says."""
        url = self._urls.get(message.recipient)
        if url is None:
            return Delivery("rejected", error=f"no Slack webhook is called {one_line(message.recipient, 60)}")
        body = json.dumps(render.slack(message.payload)).encode()
        answer = http_post.post(self._http, url, body, {"content-type": "application/json; charset=utf-8"})
        if isinstance(answer, Delivery):
            return answer
        said = answer.text.strip()
        if answer.status == 200 and said in {"ok", ""}:
            return Delivery("delivered")
        if said in _GONE:
            return Delivery("rejected", error=f"{answer.status} {said}", suppress=True)
        if answer.status in {200, 400} or said.startswith("invalid_"):
            return Delivery("rejected", error=one_line(f"{answer.status} {said}", 200))
        return by_status(answer.status, answer.headers, said, now)

    def look_up(self, message: Outgoing, now: datetime) -> Delivery | None:
        """An incoming webhook cannot be asked."""
        return None

    def status(self, provider_id: str) -> Delivery | None:
        """`ok` was the last word."""
        return None
