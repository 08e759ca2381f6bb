"""What is pasted in place of a secret is refused before it is sealed, and never repeated."""

import pytest

from keys.refusals import WrongValue
from keys.supply.key_secrets import check_secret
from keys.supply.known_providers import well_known

OPENAI = "https://api.openai.com/v1"
OWN = "http://localhost:8000/v1"


def refusal(secret, *, provider="openai", url=OPENAI):
    """The sentence with which it is refused; empty if it is taken."""
    try:
        check_secret(secret, provider=provider, url=url)
    except WrongValue as refused:
        assert refused.field == "secret"
        return refused.detail
    return ""


@pytest.mark.parametrize(
    "secret", ["sk-1", " sk-proj-a\n", "a" * 300, "sk-or.v1/=+", "Token-1", "my.key", "0xxx1"]
)
def test_what_can_be_a_secret_is_taken(secret):
    assert check_secret(secret, provider="openai-2", url=OPENAI) == secret.strip()


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("", "Enter the secret"),
        (" \n", "Enter the secret"),
        ("sk-a\u200bb", "printable ASCII"),
        ("sk-a\nb", "printable ASCII"),
        ("'sk-hidden'", "without them"),
        ('"sk-hidden"', "without them"),
        ("Bearer sk-hidden", "without the word before it"),
        ("Authorization: Bearer sk-hidden", "without the word before it"),
        ("x-api-key: sk-hidden", "without the word before it"),
        ("sk-...hidden", "shortened"),
        ("sk-****hidden", "shortened"),
        ("<hidden>", "shortened"),
        ("${HIDDEN}", "shortened"),
        ("{{ hidden }}", "shortened"),
        ("your-api-key-hidden", "a placeholder"),
        ("YOUR_KEY_HERE", "a placeholder"),
        ("changeme", "a placeholder"),
        ("None", "a placeholder"),
        ("n/a", "a placeholder"),
        ("sk-xxxxxxxx", "a placeholder"),
        ("sk-ant-hidden", "those of Anthropic do, but would be sent to OpenAI"),
        ("gsk_hidden", "those of Groq"),
        ("hf_hidden", "those of hugging-face"),
        ("bt_hidden", "those of butler"),
    ],
)
def test_what_is_no_secret_of_the_provider_is_refused(secret, said):
    assert said in refusal(secret)
    assert "hidden" not in refusal(secret).lower()


@pytest.mark.parametrize("secret", ["none", "EMPTY", "changeme", "sk-ant-a", "xxx"])
def test_a_server_of_ones_own_takes_any_word(secret):
    assert not refusal(secret, url=OWN)
    assert not refusal(secret, provider="vllm", url=OWN)
    assert "without them" in refusal(f"'{secret}'", url=OWN)


@pytest.mark.parametrize(
    ("provider", "secret"),
    [("anthropic", "sk-ant-a"), ("anthropic-2", "sk-ant-a"), ("openrouter", "sk-or-v1-a")],
)
def test_the_secrets_of_a_provider_are_its_own(provider, secret):
    assert not refusal(secret, provider=provider, url=well_known(provider).base_url)
