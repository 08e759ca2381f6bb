"""The commands of docs/first-day.md, from a list of 40 keys to a fleet that works."""

import re
import shlex
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from keys import services as keys
from keys.models import Agent, ApiKey, Limit
from security.actor import Actor
from tests.books import assert_books_balance

_GUIDE = settings.BASE_DIR / "docs" / "first-day.md"
_MODELS = {
    "openai": "gpt-4.1-mini",
    "anthropic": "claude-haiku-4-5",
    "mistral": "mistral-small-latest",
    "groq": "llama-3.3-70b-versatile",
}


def _commands():
    text = _GUIDE.read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines() if line.strip()]
    python, manage = ".venv/bin/python", "manage.py"
    for line in lines:
        words = shlex.split(line)
        assert words[:2] == [python, manage], line
        yield words[2:]


def _keys(folder: Path) -> None:
    lines = ["key_id,provider,model,secret,usd_per_month"]
    for number in range(1, 11):
        lines += [
            f"{provider}-{number},{provider},{model},secret-{provider}-{number},100"
            for provider, model in _MODELS.items()
        ]
    (folder / "keys.csv").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.django_db(transaction=True)
def test_its_commands_lead_to_a_working_fleet(tmp_path, monkeypatch):
    _keys(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name, *arguments in _commands():
        out = StringIO()
        call_command(name, *arguments, stdout=out)
        assert out.getvalue(), name
    assert ApiKey.objects.filter(status="active").count() == 40
    assert all(api_key.price.rates.input > 0 for api_key in ApiKey.objects.select_related("price"))
    assert Limit.objects.filter(scope="centre:research").count() == 1
    agent = Agent.objects.get(pk="researcher")
    assert agent.cost_centre.path == ["company", "research"]
    lent, _ = keys.allocate(
        agent="researcher",
        request=keys.AllocationRequest(tokens=1000),
        actor=Actor.agent("researcher"),
        now=timezone.now(),
    )
    assert lent.api_key_id
    assert_books_balance()
