"""What people read: complete, in their figures, and inert whatever a marketplace puts into a title."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import render
from alerts.alert import Findings
from alerts.episodes import step
from alerts.links import Linker
from alerts.localize import Locale
from alerts.plan import plan
from alerts.routes import Recipient, Routes
from alerts.text import csv_table, fit_sms, gsm7, one_line, slack_text, sms_segments
from tests.alerts_factories import NOW, charted, nearly_out, position_row, running_low, sold_out

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<!channel> <!here> <@U123> <https://evil.example|click>",
    "Mug\r\nBcc: everyone@example.com\r\n\r\nbody",
    '=HYPERLINK("https://evil.example","x")',
    "{{ 7*7 }}{% for x in y %}",
    "\u202egnp.exe \u2066 \x00 \x1b[31m",
    "*bold* _it_ ~no~ `code` &amp; &lt;",
    "$$$" * 400,
]


def payloads(*rows, linker=None, **recipient):
    alerts = charted(*rows)
    findings = Findings(alerts, frozenset(alert.fingerprint for alert in alerts))
    known = {
        "name": "Ada",
        "email": "ada@example.com",
        "phone": "+15551234567",
        "slack": "default",
        "webhook": "default",
    }
    routes = Routes(recipients=(Recipient(**known | recipient),))
    planned = plan(step([], findings, NOW).transitions, routes, NOW, linker)
    return {message.way: json.loads(json.dumps(message.payload)) for message in planned.messages}


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_the_email_says_what_is_so_and_what_to_do_in_both_bodies():
    email = render.email(payloads(nearly_out())["email"])
    assert email.subject == "[Critical] Low stock: Blue stoneware mug (MUG-01): 4 days left"
    for body in (Tags(email.html).text, email.text):
        assert "18 left on Amazon US, enough until about Nov 25, 2026" in body
        assert "97%" in body
        assert "Order 120 today; delivery takes 14 days." in body


def test_the_picture_is_inline_and_a_real_png():
    email = render.email(payloads(nearly_out())["email"])
    (picture,) = email.attachments
    assert picture.content.startswith(b"\x89PNG\r\n\x1a\n")
    assert picture.content_id == "stock-picture"
    images = [attrs for tag, attrs in Tags(email.html).tags if tag == "img"]
    assert [image["src"] for image in images] == ["cid:stock-picture"]
    assert all(image["alt"] for image in images)


def test_without_a_forecast_there_is_no_broken_picture():
    payload = payloads(nearly_out())["email"]
    del payload["alerts"][0]["facts"]["chart"]
    email = render.email(payload)
    assert email.attachments == ()
    assert "<img" not in email.html


def test_the_html_is_made_for_mail_clients():
    tags = Tags(render.email(payloads(nearly_out(), position_row(channel="walmart-us"))["email"]).html).tags
    names = {tag for tag, _ in tags}
    assert not names & {"script", "link", "style", "form", "iframe", "svg", "video"}
    assert all(attrs.get("role") == "presentation" or "<th" for tag, attrs in tags if tag == "table")
    assert not [
        value for _, attrs in tags for key, value in attrs.items() if key == "src" and "http" in (value or "")
    ]


def test_figures_follow_the_readers_locale_and_zone():
    text = render.email(
        payloads(running_low(available=1234), locale="de-DE", timezone="Europe/Berlin")["email"]
    ).text
    assert "1.234 left" in text
    assert "01.12.2026" in text
    assert "21.11.2026, 10:30 CET" in text


@pytest.mark.parametrize(
    ("tag", "number", "date"),
    [
        ("en-US", "1,234.5", "Nov 21, 2026"),
        ("en-GB", "1,234.5", "21 Nov 2026"),
        ("de_DE", "1.234,5", "21.11.2026"),
        ("fr-FR", "1\u202f234,5", "21/11/2026"),
        ("sv", "1\u00a0234,5", "2026-11-21"),
        ("xx-YY", "1,234.5", "21 Nov 2026"),
    ],
)
def test_locales(tag, number, date):
    locale = Locale(tag)
    assert (locale.number(1234.5, 1), locale.date("2026-11-21")) == (number, date)


@pytest.mark.parametrize(
    ("rate", "said"), [(0, "0%"), (0.004, "under 1%"), (0.5, "50%"), (0.999, "over 99%"), (1, "100%")]
)
def test_a_chance_is_never_falsely_certain(rate, said):
    assert Locale().percent(rate) == said


@pytest.mark.parametrize("name", HOSTILE)
def test_marketplace_text_is_inert_everywhere(name):
    hostile = [sold_out(name=name, sku="S-1"), position_row("S-1", "walmart-us", name=name)]
    found = payloads(*hostile)
    email = render.email(found["email"])
    plain = Tags(render.email(payloads(sold_out(sku="S-1"), position_row("S-1", "walmart-us"))["email"]).html)
    shape = [(tag, sorted(attrs)) for tag, attrs in Tags(email.html).tags]
    assert shape == [(tag, sorted(attrs)) for tag, attrs in plain.tags]  # not one tag or attribute more
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", email.subject)
    assert len(email.subject) <= 150
    slack = json.dumps(render.slack(found["slack"]), ensure_ascii=False)
    assert "<!" not in slack
    assert "<@" not in slack
    assert "<http" not in slack
    assert sms_segments(render.sms(found["sms"])) <= 3
    json.dumps(render.event(found["webhook"])).encode()


def test_only_web_addresses_become_links():
    payload = payloads(nearly_out())["email"]
    payload["alerts"][0]["action_url"] = "javascript:alert(1)"
    assert "javascript:" not in render.email(payload).html


def test_the_digest_shows_the_worst_and_attaches_all_with_inert_cells():
    rows = [sold_out(f"S{i}", name='=cmd|" /C calc"!A0') for i in range(60)]
    email = render.email(payloads(*rows)["email"])
    assert email.subject == "[Critical] 60 alerts: 60 out of stock"
    assert "and 40 more, all of them in the attached table" in Tags(email.html).text
    (table,) = email.attachments
    lines = list(csv.DictReader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert len(lines) == 60
    assert lines[0]["name"] == '\'=cmd|" /C calc"!A0'
    assert lines[0]["available"] == "0"


def test_slack_stays_within_its_limits():
    rows = [sold_out(f"S{i}", name="M" * 500) for i in range(60)]
    body = render.slack(payloads(*rows)["slack"])
    assert len(body["blocks"]) <= 50
    assert len(body["blocks"][0]["text"]["text"]) <= 150
    assert all(len(b["text"]["text"]) <= 3000 for b in body["blocks"] if b["type"] == "section")
    assert body["text"].startswith("Critical: 60 alerts")


def test_links_are_in_every_kind_of_message():
    linker = Linker(b"k" * 32, "https://wharf.example.com/")
    found = payloads(nearly_out(), linker=linker)
    email = render.email(found["email"])
    assert email.html.count("https://wharf.example.com/alerts/acknowledge?token=") == 1
    assert "https://wharf.example.com/alerts/snooze?token=" in email.text
    assert "Seen: https://wharf.example.com/alerts/acknowledge?token=" in render.sms(found["sms"])
    labels = [
        e["text"]["text"]
        for b in render.slack(found["slack"])["blocks"]
        if b["type"] == "actions"
        for e in b["elements"]
    ]
    assert labels == ["Open in Seller Central", "Acknowledge", "Snooze"]


def test_a_link_that_leaves_no_room_is_left_out_of_the_sms():
    linker = Linker(b"k" * 32, "https://wharf.example.com/" + "long/" * 20)
    text = render.sms(payloads(sold_out("S" * 170), linker=linker)["sms"])
    assert "https://" not in text
    assert sms_segments(text) <= 3
    assert text.endswith("]")


def test_the_same_payload_gives_the_same_message():
    payload = payloads(nearly_out())["email"]
    assert render.email(payload) == render.email(payload)


# -- text ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 10, 2), ("й" * 70, 1), ("й" * 71, 2), ("😀" * 35, 1), ("😀" * 36, 2),
    ],
)  # fmt: skip
def test_segments_are_counted_as_they_are_charged(text, segments):
    assert sms_segments(text) == segments


def test_gsm7_keeps_what_it_can():
    assert gsm7("“Ładny” café — 5 €… 😀 naïve ½ \u4e2d\u6587") == '"Ladny" café - 5 €... naive 1/2 ?'


@given(st.text(max_size=900), st.text(max_size=40))
def test_any_text_fits_three_gsm7_segments(body, tail):
    text = fit_sms(body, tail)
    assert sms_segments(text) <= 3
    assert gsm7(text) == text
    assert text.endswith(gsm7(tail).strip())


@given(st.text())
def test_slack_text_holds_no_markup(text):
    shown = slack_text(text)
    assert "<" not in shown
    assert ">" not in shown
    assert "\n" not in shown


def test_lone_surrogates_do_not_stop_a_message():
    assert one_line("a\ud800b") == "a?b"


@given(st.text())
def test_one_line_is_one_line(text):
    assert len(one_line(text).splitlines()) <= 1


@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=4),
        min_size=1,
    )
)
def test_csv_reads_back_and_starts_no_formula(rows):
    back = list(csv.reader(io.StringIO(csv_table(rows), newline="")))
    assert len(back) == len(rows)
    for row, kept in zip(rows, back, strict=True):
        assert [
            cell.removeprefix("'") if cell != text else cell for cell, text in zip(kept, row, strict=True)
        ] == row
        assert not any(cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r")) for cell in kept)
