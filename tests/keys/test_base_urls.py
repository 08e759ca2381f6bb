"""Base URLs as people type them: stored with https, or refused with what is right."""

import pytest

from keys.refusals import WrongValue
from keys.supply.base_urls import check_base_url


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("", ""),
        ("api.example.com", "https://api.example.com"),
        ("api.example.com:8443/v1", "https://api.example.com:8443/v1"),
        ("//api.example.com/v1", "https://api.example.com/v1"),
        ("HTTPS://API.Example.com/V1/", "https://api.example.com/V1/"),
        (" https://api.example.com/v1 \n", "https://api.example.com/v1"),
        ("https://münchen.example/v1", "https://münchen.example/v1"),
        ("ollama:11434", "https://ollama:11434"),
        ("http://my_model.internal:8000/v1", "http://my_model.internal:8000/v1"),
        ("[::1]:8000/v1", "https://[::1]:8000/v1"),
        ("https.example.com/v1", "https://https.example.com/v1"),
        ("https:8080/v1", "https://https:8080/v1"),
    ],
)
def test_an_address_is_stored_in_one_form(typed, stored):
    assert check_base_url(typed) == stored
    assert check_base_url(stored) == stored


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("https:/api.example.com", "Write https:// before"),
        ("https//api.example.com", "Write https:// before"),
        ("https:api.example.com", "Write https:// before"),
        ("htps://api.example.com", "Write https:// before"),
        ("httpss://api.example.com", "Write https:// before"),
        ("ttps://api.example.com", "Write https:// before"),
        ("http:/api.example.com", "Write https:// before"),
        ("ftp://api.example.com", "not ftp://"),
        ("wss://api.example.com", "not wss://"),
        ("file:///etc/passwd", "no address"),
        ("javascript:alert(1)", "no address"),
        ("https://", "no address"),
        ("https:///v1", "no address"),
        ("https://api.exa mple.com", "no address"),
        ("https://api.example.com/v1\nX: y", "no address"),
        ("<https://api.example.com>", "no address"),
        ('"https://api.example.com"', "no address"),
        ("https://api.example.com\\v1", "no address"),
        ("https://{tenant}.example.com", "no address"),
        ("https://api..example.com", "no address"),
        ("https://-api.example.com", "no address"),
        ("https://api.example.com:99999", "no address"),
        ("https://api.example.com:port", "no address"),
        ("https://api.example.com:0", "no address"),
        ("https://[::1", "no address"),
        ("https://" + "a." * 95 + "example/v1", "at most 200 characters"),
        ("https://user:hidden@api.example.com/v1", "cannot have a user name"),
        ("https://api.example.com/v1?key=hidden", "without query and fragment"),
        ("https://api.example.com/v1/models?key=hidden", "address of one endpoint"),
        ("http://api.example.com/v1", "Use https"),
        ("169.254.169.254/latest", "not a public address"),
    ],
)
def test_what_calls_could_not_be_sent_to_is_refused(typed, said):
    with pytest.raises(WrongValue) as refused:
        check_base_url(typed)
    assert said in refused.value.detail
    assert refused.value.field == "base_url"
    assert "hidden" not in refused.value.detail


def test_a_long_text_is_refused_at_once():
    with pytest.raises(WrongValue):
        check_base_url("https://" + "a" * 190 + "!")
