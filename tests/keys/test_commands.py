"""Commands an operator scripts: agents, keys, the books check, the demo fleet."""

import io
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Max, Min, Sum

from keys.models import Agent, AgentToken, ApiKey, CostCentre, Limit, Provider, Window
from security import services as security
from security import tokens
from tests.books import assert_books_balance
from tests.keys.builders import add_key, allocate, report

pytestmark = pytest.mark.django_db
OPENAI = "--provider openai --model gpt-4.1"


def run(name, *args, **options):
    """The output of a command, as lines."""
    out = io.StringIO()
    call_command(name, *args, stdout=out, **options)
    return out.getvalue().splitlines()


def test_create_agent_prints_a_token_that_works_as_its_last_line():
    token = run("create_agent", "ada", "--cost-centre", "research")[-1]
    row = AgentToken.objects.get(agent="ada")
    assert tokens.matches(token, row.digest)
    assert CostCentre.objects.get(pk="research").path == ["org", "research"]


def test_create_agent_without_a_cost_centre_uses_that_of_the_organisation():
    run("create_agent", "ada")
    assert Agent.objects.get().cost_centre_id == "org"


def test_create_agent_again_is_a_second_token_but_not_a_third(people):
    first, second = run("create_agent", "ada")[-1], run("create_agent", "ada")[-1]
    assert first != second
    with pytest.raises(CommandError, match="2 live tokens"):
        run("create_agent", "ada")
    with pytest.raises(CommandError, match="an agent of research, not of sales"):
        run("create_agent", "ada", "--cost-centre", "sales")


def test_a_wrong_name_makes_nothing():
    with pytest.raises(CommandError, match="cannot be used as a name"):
        run("create_agent", "Ada!", "--cost-centre", "research")
    assert not CostCentre.objects.exists()


CANARY = "sk-canary-0123456789abcdef"


def add(slug, *args, secret=CANARY, monkeypatch):
    """`add_key` with its secret on standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(secret + "\n"))
    return run("add_key", slug, *args)


FREE = ["--input-cost", "0", "--output-cost", "0"]
NVIDIA = ["--provider", "nvidia", "--model", "llama", *FREE]
# The prices of a million tokens.
DEAR = [*NVIDIA[:4], "--input-cost", "3", "--output-cost", "15"]


def test_add_key_reads_the_secret_from_standard_input_and_prints_it_nowhere(monkeypatch):
    out = add("nvidia-1", *NVIDIA, "--tokens-per-day", "5_000_000", monkeypatch=monkeypatch)
    api_key = ApiKey.objects.get()
    assert security.unseal_from(api_key, "secret") == CANARY
    assert "canary" not in "".join(out)
    assert Window.objects.get(scope="key:nvidia-1").amount == 5_000_000


def test_add_key_sets_every_limit_of_its_options(monkeypatch):
    limits = ["--tokens-per-day", "none", "--tokens-per-month", "9000", "--usd-per-day", "1.5"]
    calendar = ["--zone", "Europe/Berlin", "--reset-hour", "6"]
    add("nvidia-1", *NVIDIA, *limits, *calendar, monkeypatch=monkeypatch)
    found = set(Limit.objects.values_list("unit", "period", "amount", "zone", "reset_hour"))
    assert found == {
        ("tokens", "month", Decimal(9000), "Europe/Berlin", 6),
        ("usd", "day", Decimal("1.5"), "Europe/Berlin", 6),
    }


def test_add_key_lets_fields_of_requests_pass(monkeypatch):
    passed = ["--passes", "enable_search", "--passes", "provider.only"]
    add("nvidia-1", *NVIDIA, *passed, "--tokens-per-day", "none", monkeypatch=monkeypatch)
    assert ApiKey.objects.get().passed_fields == ["enable_search", "provider.only"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([*NVIDIA, "--tokens-per-day", "many"], "invalid amount value"),
        ([*NVIDIA, "--tokens-per-day", "-1"], "from 0 to"),
        ([*NVIDIA, "--tokens-per-day", "1.5"], "whole number"),
        ([*NVIDIA, "--tokens-per-day", "1", "--zone", "Mars"], "Mars"),
        ([*NVIDIA, "--tokens-per-day", "1", "--requests-per-minute", "0"], "invalid number"),
        (["--provider", "p", "--model", "m", "--tokens-per-day", "1"], "no price"),
        (NVIDIA, "--tokens-per-day"),
        ([*NVIDIA[:-2], "--tokens-per-day", "1"], "or neither"),
        ([*DEAR, "--tokens-per-day", "1"], "above all known prices.* add --cost-is-meant"),
    ],
)
def test_add_key_with_something_wrong_says_what_and_adds_nothing(args, says, monkeypatch):
    with pytest.raises(CommandError, match=says):
        add("nvidia-1", *args, monkeypatch=monkeypatch)
    assert not ApiKey.objects.exists()


def test_add_key_takes_dear_costs_that_are_meant(monkeypatch):
    add("a", *DEAR, "--cost-is-meant", "--tokens-per-day", "1", monkeypatch=monkeypatch)
    assert ApiKey.objects.get().price.output == 15


def test_add_key_without_a_secret_or_twice_is_refused(monkeypatch):
    args = [*NVIDIA, "--tokens-per-day", "1"]
    with pytest.raises(CommandError, match="has no secret"):
        add("nvidia-1", *args, secret="", monkeypatch=monkeypatch)
    add("nvidia-1", *args, monkeypatch=monkeypatch)
    with pytest.raises(CommandError, match="nvidia-1 already exists"):
        add("nvidia-1", *args, monkeypatch=monkeypatch)


def test_check_books_says_ok_for_every_check(people):
    add_key("nvidia-1")
    report(allocate(), 10)
    lines = run("check_books")
    assert lines[-1].startswith("The books balance")
    assert all(line.startswith("ok ") for line in lines[:-1])


def test_check_books_names_the_first_broken_check_and_its_rows(people):
    add_key("nvidia-1")
    report(allocate(), 10)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE keys_window SET used = used + 1")
    with pytest.raises(CommandError) as broken:
        run("check_books")
    assert "3 window-used" in str(broken.value)
    assert "key:nvidia-1" in str(broken.value)
    assert broken.value.returncode != 0


def test_the_demo_fleet_is_the_seeds_and_loading_it_twice_is_once():
    assert run("load_demo_fleet") == ["Added 8 API keys and 8 agents."]
    assert run("load_demo_fleet") == ["Added 0 API keys and 0 agents."]
    assert (ApiKey.objects.count(), Provider.objects.count()) == (8, 6)
    of_keys = Limit.objects.filter(api_key__isnull=False, unit="tokens")
    assert of_keys.filter(period="day").aggregate(sum=Sum("amount"))["sum"] == 28_500_000
    assert not Limit.objects.filter(api_key="sokosumi-1").exists()
    monthly = of_keys.filter(period="month").values_list("api_key", "amount")
    assert dict(monthly) == {"anthropic-1": 30_000_000, "openai-1": 15_000_000}
    assert_books_balance()


def test_every_key_of_the_demo_fleet_costs_something_and_cheap_ones_are_lent_first():
    run("load_demo_fleet")
    assert not ApiKey.objects.filter(price__output=0).exists()
    dear = ApiKey.objects.filter(provider__in=("anthropic", "openai", "openrouter"))
    others = ApiKey.objects.exclude(pk__in=dear).aggregate(least=Min("priority"))["least"]
    assert others > dear.aggregate(most=Max("priority"))["most"]
    assert allocate("ada", 10_000).api_key.provider_id == "nvidia"


def test_loading_the_demo_fleet_keeps_what_an_operator_changed():
    run("load_demo_fleet")
    Limit.objects.filter(api_key="groq-1").update(amount=1)
    ApiKey.objects.filter(pk="groq-1").update(priority=1)
    run("load_demo_fleet")
    assert Limit.objects.get(api_key="groq-1").amount == 1
    assert ApiKey.objects.get(pk="groq-1").priority == 1


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ("--provider acme --model m --input-cost 0 --output-cost 0", "address of acme"),
        # O65.
        ("--provider claude --model claude-sonnet-4-5", "Did you mean anthropic?"),
        ("--provider openai --model gtp-4.1", "Did you mean gpt-4.1?"),
        (f"{OPENAI} --input-cost 0.0000000004 --output-cost 0", "at most 9 decimal places"),
        (
            f"{OPENAI} --input-cost 1e14 --output-cost 1 --cost-is-meant",
            "at most 10,000 US dollars",
        ),
        (f"{OPENAI} --priority 99999999999", "from -1,000,000 to 1,000,000 as priority"),
        (f"{OPENAI} --requests-per-minute 99999999999", "as requests_per_minute"),
        (f"{OPENAI} --base-url ftp://a.example", "Use https://"),
        (f"{OPENAI} --base-url https://[::1", "This is no address"),
        (f"{OPENAI} --base-url https://ada:hunter2@a.example", "cannot have a user name"),
    ],
)
def test_what_cannot_be_meant_adds_no_key(monkeypatch, terms, said):
    monkeypatch.setattr("sys.stdin", io.StringIO("sk-1\n"))
    with pytest.raises(CommandError) as refused:
        call_command("add_key", "key-1", *terms.split(), "--tokens-per-day", "10")
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert not ApiKey.objects.exists()


def test_a_key_of_a_sandbox_needs_no_address(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("sk-1\n"))
    terms = "--provider acme --model m --input-cost 0 --output-cost 0 --tokens-per-day 10 --sandbox"
    call_command("add_key", "key-1", *terms.split(), stdout=io.StringIO())
    assert ApiKey.objects.get().sandbox
