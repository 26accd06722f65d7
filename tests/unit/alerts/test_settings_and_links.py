"""Settings refuse what is unsafe or half there, and never show a secret; links hold only as they were signed."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.errors import AlertConfigError, SignatureError
from alerts.links import Linker
from alerts.receivers.app import environment
from alerts.senders import senders_for
from alerts.settings import AlertSettings, load_settings
from tests.alerts_factories import NOW


@pytest.fixture
def settings_from(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in AlertSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def load(**values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return load


def test_nothing_set_means_nothing_sent_and_no_error(settings_from):
    settings = settings_from()
    assert settings.routes().recipients == ()
    assert senders_for(settings, lambda: datetime.now(UTC)) == {}
    assert settings.linker() is None


def test_the_demos_environment_gives_every_way(settings_from):
    settings = settings_from(**environment("http://127.0.0.1:8025"))
    assert sorted(senders_for(settings, lambda: datetime.now(UTC))) == ["email", "slack", "sms", "webhook"]
    (recipient,) = settings.routes().recipients
    assert (recipient.email, recipient.phone) == ("merchant@example.com", "+15551234567")


def test_empty_variables_count_as_unset(settings_from):
    settings = settings_from(SENDGRID_API_KEY="", TWILIO_AUTH_TOKEN=" ", SENDGRID_API_URL="")
    assert settings.sendgrid_api_url == "https://api.sendgrid.com"
    assert senders_for(settings, lambda: datetime.now(UTC)) == {}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"SENDGRID_API_URL": "http://api.sendgrid.com"}, "sendgrid_api_url: .*https"),
        ({"TWILIO_API_URL": "http://10.0.0.1"}, "twilio_api_url: .*https"),
        ({"SLACK_WEBHOOK_URL": "http://hooks.slack.com/services/T/B/SECRET"}, "slack_webhook_url: .*https"),
        ({"ALERT_WEBHOOK_URL": "https://user:SECRET@shop.example"}, "alert_webhook_url"),
        ({"ALERT_WEBHOOK_URL": "https://shop.example/hook"}, "ALERT_WEBHOOK_SECRET must sign"),
        ({"SENDGRID_API_KEY": "SG.SECRET"}, "FROM_EMAIL must name the sender"),
        ({"TWILIO_ACCOUNT_SID": "AC1"}, "belong together"),
    ],
)
def test_unsafe_or_half_settings_are_refused_without_showing_them(settings_from, values, says):
    with pytest.raises(AlertConfigError, match=says) as caught:
        settings_from(**values)
    assert "SECRET@" not in str(caught.value)
    assert "SG.SECRET" not in repr(caught.value)


def test_a_wrong_default_recipient_is_named_without_showing_it(settings_from):
    with pytest.raises(AlertConfigError, match="WHARF_ALERT_EMAIL, WHARF_ALERT_PHONE: phone") as caught:
        settings_from(WHARF_ALERT_PHONE="555 1234").routes()
    assert "555 1234" not in str(caught.value)


def test_secrets_do_not_print(settings_from):
    settings = settings_from(**environment("http://127.0.0.1:8025"))
    shown = repr(settings) + str(settings.model_dump())
    assert "SG.local" not in shown
    assert "/services/T000" not in shown


def test_a_routes_file_wins_over_the_simple_settings(settings_from, tmp_path):
    file = tmp_path / "routes.toml"
    file.write_text('[[recipients]]\nname = "Ada"\nemail = "ada@example.com"\n')
    settings = settings_from(WHARF_ROUTES_FILE=str(file), WHARF_ALERT_EMAIL="other@example.com")
    assert [recipient.name for recipient in settings.routes().recipients] == ["Ada"]


LINKER = Linker(b"secret key", "https://wharf.example.com")


def token(action="acknowledge"):
    return LINKER.token(action, "stockout:MUG-01", "Ada", now=NOW)


def test_a_link_allows_one_action_on_one_episode():
    claim = LINKER.check(token(), "acknowledge", NOW + timedelta(days=6))
    assert (claim.fingerprint, claim.recipient) == ("stockout:MUG-01", "Ada")


@pytest.mark.parametrize(
    "forged",
    [
        "", ".", "a.b", token()[:-2], token() + "A", "é.é", token().replace(".", ""),
        Linker(b"other key", "https://x.example").token("acknowledge", "stockout:MUG-01", "Ada", now=NOW),
    ],
)  # fmt: skip
def test_a_forged_link_does_nothing(forged):
    with pytest.raises(SignatureError):
        LINKER.check(forged, "acknowledge", NOW)


def test_a_link_is_for_its_own_action_and_its_own_time():
    with pytest.raises(SignatureError, match="not one of ours"):
        LINKER.check(token("snooze"), "acknowledge", NOW)
    with pytest.raises(SignatureError, match="expired"):
        LINKER.check(token(), "acknowledge", NOW + timedelta(days=8))


def test_the_key_does_not_print():
    assert "secret key" not in repr(LINKER)
