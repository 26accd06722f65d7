"""Which accounts the settings give, and what they refuse."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors import registry, settings
from connectors.errors import ConfigurationError

WALMART = {"WALMART_CLIENT_ID": "id", "WALMART_CLIENT_SECRET": "wm-canary"}
AMAZON = {
    "AMAZON_CLIENT_ID": "id",
    "AMAZON_CLIENT_SECRET": "secret",
    "AMAZON_REFRESH_TOKEN": "Atzr|canary",
    "AMAZON_SELLER_ID": "A1",
    "AMAZON_MARKETPLACE_IDS": "ATVPDKIKX0DER, A2EUQ1WTGCTBG2",
}
SHOPIFY = {
    "SHOPIFY_SHOP_NAME": "https://Blue-Door.myshopify.com/admin",
    "SHOPIFY_ACCESS_TOKEN": "shpat_canary",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Sets variables in an otherwise empty environment, in an empty folder."""
    import os

    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("AMAZON_", "SHOPIFY_", "WALMART_", "WHARF_")):
            monkeypatch.delenv(name)

    def put(*groups: dict[str, str], **more: str) -> None:
        for group in (*groups, more):
            for name, value in group.items():
                monkeypatch.setenv(name, value)

    return put


def test_platform_without_credentials_is_not_there(environment):
    assert settings.accounts() == []


def test_empty_values_of_an_example_file_are_no_credentials(environment, tmp_path):
    (tmp_path / ".env").write_text("WALMART_CLIENT_ID=\nWALMART_CLIENT_SECRET=\nAMAZON_CLIENT_ID=\n")
    assert settings.accounts() == []


def test_one_account_a_platform_with_its_channels(environment):
    environment(WALMART, AMAZON, SHOPIFY, SHOPIFY_CURRENCY="EUR", SHOPIFY_TIMEZONE="Europe/Berlin")
    amazon, shopify, walmart = settings.accounts()
    assert [c.name for c in amazon.channels] == ["amazon-us", "amazon-ca"]
    assert [c.currency for c in amazon.channels] == ["USD", "CAD"]
    assert amazon.api_url == "https://sellingpartnerapi-na.amazon.com"
    assert amazon.options["seller_id"] == "A1"
    assert [(c.name, c.currency, c.timezone) for c in shopify.channels] == [
        ("shopify-blue-door", "EUR", "Europe/Berlin")
    ]
    assert shopify.api_url == "https://blue-door.myshopify.com"
    assert shopify.auth_url == "https://blue-door.myshopify.com/admin/oauth/access_token"
    assert walmart.api_url == "https://marketplace.walmartapis.com"
    assert walmart.auth_url == "https://marketplace.walmartapis.com/v3/token"
    assert walmart.secret("client_secret") == "wm-canary"
    assert walmart.options["pace"] == "1"


def test_values_come_from_a_dotenv_file_too(environment, tmp_path):
    (tmp_path / ".env").write_text("WALMART_CLIENT_ID=a\nWALMART_CLIENT_SECRET=b\n")
    assert [account.name for account in settings.accounts()] == ["walmart"]


def test_secrets_do_not_print(environment):
    environment(WALMART, AMAZON, SHOPIFY)
    shown = repr(settings.load()) + repr(settings.accounts()) + repr(settings.summary(settings.accounts()))
    assert "canary" not in shown


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"WALMART_CLIENT_SECRET": ""}, "WALMART_CLIENT_SECRET is not set"),
        ({"WALMART_API_URL": "http://example.org"}, "would send credentials in clear"),
        ({"WALMART_API_URL": "ftp://example.org"}, "no address of an API"),
        ({"WALMART_API_URL": "https://user:pw@example.org"}, "no address of an API"),
        ({"WALMART_TIMEZONE": "Mars/Olympus"}, "WALMART_TIMEZONE: 'Mars/Olympus' is no time zone"),
        ({"WHARF_PACE": "60"}, "WHARF_PACE is for sandboxes"),
        ({"WHARF_PACE": "0"}, "WHARF_PACE"),
        ({"WHARF_CURRENCY": "euro"}, "WHARF_CURRENCY"),
    ],
)
def test_refused_with_the_name_of_the_setting(environment, more, says):
    environment(WALMART, more)
    with pytest.raises(ConfigurationError, match=says) as caught:
        settings.accounts()
    assert "canary" not in str(caught.value)
    assert "pw@" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1:8090", "localhost:1", "[::1]:8090"])
def test_loopback_may_be_plain_and_paced(environment, host):
    environment(WALMART, WALMART_API_URL=f"http://{host}/walmart/", WHARF_PACE="600")
    (account,) = settings.accounts()
    assert account.api_url == f"http://{host}/walmart"
    assert account.auth_url == f"http://{host}/walmart/v3/token"
    assert account.options["pace"] == "600"


@pytest.mark.parametrize("ids", ["", "NOPE", "ATVPDKIKX0DER,A1PA6795UKMFR9"])
def test_amazon_marketplaces_are_known_and_of_one_region(environment, ids):
    environment(AMAZON, AMAZON_MARKETPLACE_IDS=ids)
    with pytest.raises(ConfigurationError, match="AMAZON_MARKETPLACE_IDS"):
        settings.accounts()


def test_amazon_without_a_seller_id_still_has_orders(environment):
    """Only its listings need it, and they say so (connectors.amazon)."""
    environment(AMAZON, AMAZON_SELLER_ID="")
    (account,) = settings.accounts()
    assert "seller_id" not in account.options


def test_further_accounts_name_their_secrets(environment, tmp_path):
    environment(AMAZON, EU_ID="eu-id", EU_SECRET="eu-secret")
    (tmp_path / "accounts.toml").write_text(
        """
        [accounts.outlet]
        platform = "amazon"
        marketplace_ids = ["ATVPDKIKX0DER", "A1AM78C64UM0Y8"]
        seller_id = "A2"
        client_id = { env = "EU_ID" }
        client_secret = { env = "EU_SECRET" }
        refresh_token = { block = "outlet-refresh" }
        """
    )
    first, second = settings.accounts(resolver=lambda name: f"from {name}")
    assert (first.name, second.name) == ("amazon", "outlet")
    assert second.credentials == {
        "client_id": SecretStr("eu-id"),
        "client_secret": SecretStr("eu-secret"),
        "refresh_token": SecretStr("from outlet-refresh"),
    }
    assert [c.name for c in second.channels] == ["outlet-us", "amazon-mx"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[accounts.x]\nplatform = "ebay"', "platform is one of"),
        ('[accounts.x]\nplatform = "walmart"\nclient_secret = "in clear"', "does not stand in the file"),
        ('[accounts.x]\nplatform = "walmart"\nclient_id = { env = "NOT_THERE" }', "NOT_THERE is not set"),
        ('[accounts.x]\nplatform = "walmart"\nclient_id = { block = "b" }', "secret blocks"),
        ('[accounts.x]\nplatform = "walmart"\ncolour = "red"', "unknown entry colour"),
        ('[accounts.x]\nplatform = "walmart"', "client_id, client_secret is missing"),
        ('[accounts.walmart]\nplatform = "walmart"', "two accounts are called 'walmart'"),
        ("[accounts", "not readable"),
        ("[other]", "accounts stand in tables"),
    ],
)
def test_broken_accounts_file(environment, tmp_path, text, says):
    environment(WALMART)
    (tmp_path / "accounts.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=says) as caught:
        settings.accounts()
    assert "in clear" not in str(caught.value)


def test_registry_knows_walmart_and_no_other_stranger(environment):
    assert {"orders", "returns", "products", "inventory"} <= set(registry.resources_of("walmart"))
    with pytest.raises(ConfigurationError, match="there is no platform 'ebay'"):
        registry.resources_of("ebay")
