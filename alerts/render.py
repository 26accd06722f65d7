"""Messages for people: a payload in, an e-mail, an SMS or a Slack message out.

Everything is worded from the payload alone, so a message that is sent again after an unclear outcome is the
same text and can be looked up by it.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from alerts import wording
from alerts.localize import Locale
from alerts.picture import stock_picture
from alerts.plan import ROW_COLUMNS
from alerts.text import csv_table, fit_sms, one_line, slack_text

Payload = Mapping[str, Any]

_LABELS = {
    "critical": "Critical",
    "warning": "Warning",
    "info": "For your information",
    "resolved": "All clear",
}
_COLOURS = {  # severity → (strong, pale)
    "critical": ("#b42318", "#fef3f2"),
    "warning": ("#b54708", "#fffaeb"),
    "info": ("#175cd3", "#eff8ff"),
    "resolved": ("#067647", "#ecfdf3"),
}
_LONGEST_SMS_LINK = 240
_EMOJI = {"critical": ":red_circle:", "warning": ":large_orange_circle:", "info": ":large_blue_circle:"}
_KINDS = {
    "stockout": "out of stock",
    "low_stock": "low stock",
    "restock": "to reorder",
    "overstock": "overstock",
    "slow_mover": "slow movers",
    "anomaly": "unusual demand",
    "trending": "trending",
    "data_stale": "stale data",
    "refused_rows": "refused records",
    "forecast_drift": "drifting forecasts",
    "reconciliation": "differing figures",
}
_PAGES = {
    "amazon": "Open in Seller Central",
    "shopify": "Open in Shopify",
    "walmart": "Open in Seller Center",
}


@dataclass(frozen=True)
class Attachment:
    """A file of an e-mail; with `content_id` it is shown inline."""

    name: str
    content_type: str
    content: bytes
    content_id: str | None = None

    @property
    def base64(self) -> str:
        """The content as providers want it."""
        return base64.b64encode(self.content).decode()


@dataclass(frozen=True)
class Email:
    """A rendered e-mail, the same content in HTML and in plain text."""

    subject: str
    html: str
    text: str
    attachments: tuple[Attachment, ...] = ()


def email(payload: Payload) -> Email:
    """E-mail of an alert, an all-clear, an escalation or a digest."""
    view = _view(payload)
    template = "digest" if payload["kind"] == "digest" else "alert"
    attachments = tuple(_attachments(payload, view))
    view["has_picture"] = any(item.content_id for item in attachments)
    environment = _templates()
    return Email(
        subject=_subject(payload, view),
        html=environment.get_template(f"{template}.html.j2").render(view),
        text=environment.get_template(f"{template}.txt.j2").render(view),
        attachments=attachments,
    )


def sms(payload: Payload) -> str:
    """At most three GSM-7 segments: what, how bad, what to do, and a reference that makes it unique."""
    view = _view(payload)
    link = next((item["links"].get("acknowledge") for item in view["items"] if item["links"]), None)
    if payload["kind"] == "digest" or len(link or "") > _LONGEST_SMS_LINK:
        link = None  # it would acknowledge one of many, or leave no room for the text
    tail = " ".join(part for part in ((f"Seen: {link}" if link else ""), f"[{payload['ref']}]") if part)
    first = view["items"][0]
    if payload["kind"] == "digest":
        body = (
            f"Wharf: {view['headline']}. Worst: "
            + "; ".join(item["title"] for item in view["items"][:3])
            + "."
        )
        return fit_sms(body, tail)
    label = "ALL CLEAR" if payload["kind"] == "all_clear" else first["severity"].upper()
    return fit_sms(f"Wharf {label}: {first['title']}. {first['message']}", tail)


def slack(payload: Payload) -> dict[str, Any]:
    """Block Kit with a plain `text` for notifications; every text from a marketplace is escaped."""
    view = _view(payload)
    shown = view["items"][:10]
    blocks: list[dict[str, Any]] = [
        {
            "type": "header",
            # plain_text shows its characters as they are; without angle brackets nothing can be a mention
            "text": {
                "type": "plain_text",
                "text": one_line(view["headline"], 150).replace("<", "‹").replace(">", "›"),
                "emoji": False,
            },
        }
    ]
    for item in shown:
        blocks.append(_slack_section(item, digest=payload["kind"] == "digest"))
        if payload["kind"] != "digest":
            blocks.extend(_slack_details(item))
    more = view["total"] - len(shown)
    footer = f"and {more} more in Wharf · " if more > 0 else ""
    blocks.append(
        {
            "type": "context",
            "elements": [
                {"type": "mrkdwn", "text": f"{footer}{slack_text(view['composed'])} · {payload['ref']}"}
            ],
        }
    )
    text = slack_text(f"{view['label']}: {view['headline']}", 300)
    return {"text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def event(payload: Payload) -> dict[str, Any]:
    """Body of the generic webhook: the facts, for programs."""
    alerts = [
        {**alert, "facts": {key: value for key, value in alert["facts"].items() if key != "chart"}}
        for alert in payload["alerts"]
    ]
    body: dict[str, Any] = {
        "type": f"alert.{payload['kind']}",
        "timestamp": payload["composed_at"],
        "data": {"reference": payload["ref"], "counts": payload["counts"], "alerts": alerts},
    }
    if "rows" in payload:
        body["data"]["rows"] = [dict(zip(ROW_COLUMNS, row, strict=True)) for row in payload["rows"]]
    return body


# -- shared ----------------------------------------------------------------------------------------


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("alerts"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _view(payload: Payload) -> dict[str, Any]:
    """Everything the templates show, worded and formatted."""
    locale = Locale(payload["locale"], payload["timezone"])
    items = [_item(alert, payload, locale) for alert in payload["alerts"]]
    kind = payload["kind"]
    tone = "resolved" if kind == "all_clear" else items[0]["severity"]
    strong, pale = _COLOURS[tone]
    total = sum(payload["counts"].values())
    return {
        "kind": kind,
        "label": _LABELS[tone],
        "strong": strong,
        "pale": pale,
        "items": items,
        "item": items[0],
        "total": total,
        "more": total - len(items),
        "counts": [(locale.number(n, 0), name, *_COLOURS[name]) for name, n in _ordered(payload["counts"])],
        "headline": _headline(payload, items, locale),
        "name": one_line(payload["name"], 80),
        "note": one_line(payload["note"], 80) if payload.get("note") else None,
        "ref": payload["ref"],
        "composed": locale.instant(payload["composed_at"]),
        "has_rows": bool(payload.get("rows")) and total > len(items),
    }


def _ordered(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(name, counts[name]) for name in ("critical", "warning", "info", "resolved") if counts.get(name)]


def _headline(payload: Payload, items: list[dict[str, Any]], locale: Locale) -> str:
    kind, counts, kinds = payload["kind"], payload["counts"], payload["kinds"]
    if kind == "digest":
        parts = [f"{locale.number(count, 0)} {_KINDS.get(name, name)}" for name, count in kinds.items()]
        if counts.get("resolved"):
            parts.append(f"{locale.number(counts['resolved'], 0)} over")
        return f"{locale.number(sum(counts.values()), 0)} alerts: {', '.join(parts)}"
    if kind == "all_clear":
        return f"Over: {items[0]['title']}"
    return str(items[0]["title"])


def _subject(payload: Payload, view: Mapping[str, Any]) -> str:
    prefix = "Nobody has acknowledged" if payload["kind"] == "escalation" else view["label"]
    return one_line(f"[{prefix}] {view['headline']}", 150)


def _item(alert: Mapping[str, Any], payload: Payload, locale: Locale) -> dict[str, Any]:
    facts = alert["facts"]
    kind = alert["alert_type"]
    resolved = alert["change"] == "resolved"
    strong, pale = _COLOURS["resolved" if resolved else alert["severity"]]
    message = wording.message(kind, facts, locale) or one_line(alert["message"], 600)
    if resolved:
        message = f"It is over ({one_line(facts.get('resolution', 'no longer so'), 150)})."
    channels = facts.get("channels") or []
    platform = str(channels[0]).split("-", maxsplit=1)[0] if channels else ""
    return {
        "type": kind,
        "severity": "resolved" if resolved else alert["severity"],
        "label": _LABELS["resolved" if resolved else alert["severity"]],
        "strong": strong,
        "pale": pale,
        "title": wording.title(kind, facts, locale) or one_line(alert["title"], 150),
        "message": message,
        "figures": [] if resolved else _figures(kind, facts, locale),
        "listings": _listings(facts, locale) if not resolved else [],
        "since": locale.instant(facts["opened_at"]) if facts.get("opened_at") else None,
        "action_url": _http(alert.get("action_url")),
        "action": _PAGES.get(platform, "Open"),
        "links": payload.get("links", {}).get(alert["fingerprint"], {}),
    }


def _http(url: str | None) -> str | None:
    """Only a web address becomes a link; escaping alone does not stop `javascript:`."""
    return url if url and url.startswith(("https://", "http://127.0.0.1", "http://localhost")) else None


def _figures(kind: str, facts: Mapping[str, Any], locale: Locale) -> list[tuple[str, str, str]]:
    """Up to four big numbers: (value, what it is, small print)."""
    if kind in {"anomaly", "trending"}:
        span = wording.span(facts, locale)
        return [
            (locale.number(facts["observed"], 0), "orders came", span),
            (locale.number(facts["expected"]), "are usual", span),
        ]
    if kind not in {"stockout", "low_stock", "restock", "overstock", "slow_mover"}:
        return []
    figures = [(locale.number(facts["available"], 0), "available", _on_the_way(facts, locale))]
    cover, chance, many = facts["days_of_cover"], facts["p_stockout_lead_time"], facts["order_quantity"]
    if kind != "stockout" and cover is not None:
        until = facts.get("stockout_date")
        figures.append(
            (locale.number(int(cover), 0), "days left", f"until {locale.date(until)}" if until else "")
        )
    elif kind == "stockout":
        figures.append((locale.number(facts["mean_daily"]), "sold a day", "while it was in stock"))
    lead = facts["lead_time_days"]
    if kind in {"low_stock", "restock"} and chance is not None:
        small = f"within {locale.number(lead, 0)} days" if lead is not None else "before a delivery"
        figures.append((locale.percent(chance), "chance to run out", small))
    if many and kind not in {"overstock", "slow_mover"}:
        by = facts["order_by_date"]
        late = by is not None and by <= facts["today"]
        small = "today" if late else f"by {locale.date(by)}" if by else ""
        figures.append((locale.number(many, 0), "to order", small))
    return figures


def _on_the_way(facts: Mapping[str, Any], locale: Locale) -> str:
    return f"{locale.number(facts['inbound'], 0)} on the way" if facts["inbound"] else "none on the way"


def _listings(facts: Mapping[str, Any], locale: Locale) -> list[dict[str, str]]:
    rows = facts.get("listings") or []
    if len(rows) < 2:
        return []
    return [
        {
            "channel": wording.channel_name(row["channel"]),
            "available": locale.number(row["available"], 0),
            "inbound": locale.number(row["inbound"], 0),
            "daily": locale.number(row["mean_daily"]),
            "days": locale.number(int(row["days_of_cover"]), 0) if row["days_of_cover"] is not None else "–",
            "until": locale.date(row["stockout_date"]) if row["stockout_date"] else "–",
        }
        for row in rows
    ]


def _attachments(payload: Payload, view: Mapping[str, Any]) -> list[Attachment]:
    found: list[Attachment] = []
    first = payload["alerts"][0]
    chart = first["facts"].get("chart")
    if payload["kind"] in {"alert", "escalation"} and chart and len(chart["expected"]) > 1:
        locale = Locale(payload["locale"], payload["timezone"])
        png = stock_picture(chart, locale, first["facts"].get("lead_time_days"))
        found.append(Attachment("stock.png", "image/png", png, "stock-picture"))
    if view["has_rows"]:
        table = csv_table([list(ROW_COLUMNS), *payload["rows"]])
        found.append(Attachment("alerts.csv", "text/csv", ("\ufeff" + table).encode()))
    return found


def _slack_section(item: Mapping[str, Any], *, digest: bool) -> dict[str, Any]:
    mark = _EMOJI.get(item["severity"], ":white_check_mark:")
    # The header of a single alert says its title already.
    head = item["title"] if digest else item["label"]
    text = f"{mark} *{slack_text(head, 300)}*\n{slack_text(item['message'], 1200)}"
    section: dict[str, Any] = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    if not digest and item["figures"]:
        section["fields"] = [
            {
                "type": "mrkdwn",
                "text": f"*{slack_text(value)}* {slack_text(what)}\n{slack_text(small) or ' '}",
            }
            for value, what, small in item["figures"]
        ]
    return section


def _slack_details(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    buttons: list[tuple[str, str, str | None]] = []
    if item["action_url"]:
        buttons.append((item["action"], item["action_url"], "primary"))
    buttons.extend((action.capitalize(), url, None) for action, url in item["links"].items())
    if not buttons:
        return []
    elements = [
        {"type": "button", "text": {"type": "plain_text", "text": label}, "url": url}
        | ({"style": style} if style else {})
        for label, url, style in buttons
        if len(url) <= 3000
    ]
    return [{"type": "actions", "elements": elements}]
