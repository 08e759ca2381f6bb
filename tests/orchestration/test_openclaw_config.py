"""The configuration of an OpenClaw gateway, written by a command."""

import json
import stat

import pytest
from django.core.management import CommandError, call_command

from keys import services as keys
from keys.books.queries.slots import slot_of
from keys.models import ApiKey, Slot
from orchestration.models import Concurrency
from tests.actors import ACTOR
from tests.keys.builders import FREE
from tests.moments import NOON

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def supply(settings):
    """Keys of three models, one of them switched off and one that speaks Anthropic's format."""
    settings.GATEWAY_URL = "http://butler.example"
    for slug, provider, model in (
        ("openai-1", "openai", "gpt-5-mini"),
        ("openai-2", "openai", "gpt-5-mini"),
        ("nvidia-1", "nvidia", "meta/llama-3.3-70b"),
        ("groq-1", "groq", "switched-off"),
        ("anthropic-1", "anthropic", "claude-sonnet-4-5"),
    ):
        terms = keys.KeyTerms(provider=provider, model=model, rates=FREE)
        keys.add_key(slug, terms=terms, secret=f"secret-{slug}", actor=ACTOR, now=NOON)
    off = {"status": ApiKey.Status.INACTIVE, "reason": "test", "actor": ACTOR, "now": NOON}
    keys.set_key_status("groq-1", **off)


@pytest.fixture
def openclaw_config(supply, tmp_path, capsys):
    """`openclaw_config("--slots=3")`: the file's content and what was printed."""

    def write(*options):
        call_command("openclaw_config", f"--workspace={tmp_path}", *options)
        return json.loads((tmp_path / "openclaw.json").read_text()), capsys.readouterr().out

    return write


def test_each_slot_is_a_provider_with_a_credential_of_its_own(openclaw_config):
    config, _ = openclaw_config("--slots=3", "--port=19504")
    providers = config["models"]["providers"]
    assert list(providers) == ["slot01", "slot02", "slot03", "deny"]
    tokens = [provider["apiKey"] for provider in providers.values()]
    assert [slot_of(token) for token in tokens] == ["slot01", "slot02", "slot03", None]
    assert {p["baseUrl"] for p in providers.values()} == {"http://butler.example/v1"}
    assert {p["api"] for p in providers.values()} == {"openai-completions"}
    assert config["gateway"]["port"] == 19504
    assert config["gateway"]["bind"] == "loopback"


def test_what_is_bound_to_no_slot_is_denied_and_nothing_can_be_run_on_the_machine(openclaw_config):
    config, _ = openclaw_config()
    defaults = config["agents"]["defaults"]
    assert defaults["model"] == {"primary": "deny/deny"}
    assert defaults["subagents"]["maxSpawnDepth"] == 1
    assert defaults["subagents"]["maxConcurrent"] == 8
    assert config["gateway"]["tools"] == {"allow": ["sessions_spawn"]}
    assert config["tools"]["profile"] == "minimal"
    assert "exec" in config["tools"]["subagents"]["tools"]["deny"]
    assert config["plugins"] == {"enabled": False}
    assert config["update"] == {"checkOnStart": False}
    assert config["models"]["catalogRefresh"] == {"enabled": False}


def test_every_model_of_a_usable_key_is_offered_as_its_provider_understands(openclaw_config):
    config, _ = openclaw_config()
    models = {m["id"]: m for m in config["models"]["providers"]["slot01"]["models"]}
    assert sorted(models) == ["gpt-5-mini", "meta/llama-3.3-70b"]
    thinks, other = models["gpt-5-mini"], models["meta/llama-3.3-70b"]
    assert (thinks["reasoning"], other["reasoning"]) == (True, False)
    assert thinks["compat"] == {
        "supportsReasoningEffort": True,
        "supportsPromptCacheKey": True,
        "supportsUsageInStreaming": True,
        "maxTokensField": "max_completion_tokens",
    }
    assert other["compat"] == {
        "supportsReasoningEffort": False,
        "supportsPromptCacheKey": False,
        "supportsUsageInStreaming": True,
        "maxTokensField": "max_tokens",
    }


def test_only_its_owner_can_read_the_file_and_nothing_secret_is_printed(openclaw_config, tmp_path):
    config, output = openclaw_config("--port=19504")
    assert stat.S_IMODE((tmp_path / "openclaw.json").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["openclaw.json"]
    assert "BUTLER_OPENCLAW_URL=ws://127.0.0.1:19504" in output
    assert f"OPENCLAW_CONFIG_PATH={tmp_path}/openclaw.json" in output
    assert config["gateway"]["auth"]["token"] not in output
    assert config["models"]["providers"]["slot01"]["apiKey"] not in output


def test_two_runs_are_one_and_more_slots_are_added(openclaw_config):
    assert openclaw_config("--slots=2") == openclaw_config("--slots=2")
    assert Slot.objects.count() == Concurrency.objects.get().attempts_max == 2
    config, _ = openclaw_config("--slots=4")
    assert len(config["models"]["providers"]) == 5
    limit = Concurrency.objects.get()
    assert (limit.scope, limit.attempts_max) == ("runner:openclaw", 4)
    assert len(openclaw_config("--slots=2")[0]["models"]["providers"]) == 5


def test_the_gateways_token_is_derived_or_the_one_that_was_set(openclaw_config, settings):
    derived = openclaw_config()[0]["gateway"]["auth"]["token"]
    assert derived.startswith("bo_openclaw_")
    settings.OPENCLAW_TOKEN = "as-it-was-set"
    assert openclaw_config()[0]["gateway"]["auth"]["token"] == "as-it-was-set"


@pytest.mark.parametrize("slots", ["0", "100"])
def test_a_number_of_slots_that_makes_no_sense_is_refused(openclaw_config, slots):
    with pytest.raises(CommandError, match="from 1 to 99"):
        openclaw_config(f"--slots={slots}")
    assert not Slot.objects.exists()
