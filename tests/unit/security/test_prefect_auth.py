"""What a Prefect server asks of everybody: well formed, and never told."""

import pytest
from pydantic import ValidationError

from flows.settings import WharfSettings


def test_a_name_and_a_word_are_taken(monkeypatch):
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "wharf:open-sesame")
    auth = WharfSettings().prefect_auth
    assert auth is not None
    assert auth.get_secret_value() == "wharf:open-sesame"


@pytest.mark.parametrize("wrong", ["sesame-open", "wharf:short"])
def test_anything_else_is_refused_without_telling_it(monkeypatch, wrong):
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", wrong)
    with pytest.raises(ValidationError, match="a name, a colon and a word") as caught:
        WharfSettings()
    assert wrong not in str(caught.value)
