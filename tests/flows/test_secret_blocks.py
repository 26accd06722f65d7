"""Credentials that stand in Prefect's Secret blocks."""

from pathlib import Path

import pytest
from prefect.blocks.system import Secret

from connectors.errors import ConfigurationError
from flows import connections, logs

FILE = """
[accounts.shop-two]
platform = "shopify"
shop_name = "shop-two"
access_token = { block = "shop-two-token" }
"""


@pytest.fixture
def file(prefect_api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "accounts.toml"
    path.write_text(FILE)
    monkeypatch.setenv("WHARF_ACCOUNTS_FILE", str(path))
    connections.accounts.cache_clear()
    logs.forget()
    yield path
    connections.accounts.cache_clear()
    logs.forget()


def test_an_account_whose_token_is_in_a_block_is_read_and_its_token_kept_out_of_logs(file: Path):
    Secret(value="a-token-nobody-may-see").save("shop-two-token", overwrite=True)

    assert connections.account("shop-two").secret("access_token") == "a-token-nobody-may-see"
    assert "nobody-may-see" not in logs.inert("refused: a-token-nobody-may-see")


def test_a_block_that_is_not_there_is_named(file: Path):
    file.write_text(FILE.replace("shop-two-token", "no-such-block"))

    with pytest.raises(ConfigurationError, match="no-such-block"):
        connections.accounts()
