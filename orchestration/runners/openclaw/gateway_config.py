"""The configuration of an OpenClaw gateway (2026.9.6) that makes all model calls through Butler.

Each slot is a provider of its own: when a credential is refused, OpenClaw stops using its provider
for a while, or tries another credential of the same provider.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from keys import services as keys
from keys.books.queries.slots import slot_token
from keys.models import ApiKey
from keys.supply.model_facts import ModelFacts
from orchestration.models import Concurrency
from orchestration.runners.openclaw.runner import gateway_token
from orchestration.runners.openclaw.slots import RUNNER
from security.actor import Actor

# Used where the catalogue has no value; the gateway limits answers to what is left of the budget.
_CONTEXT_TOKENS = 128_000
_OUTPUT_TOKENS_MAX = 8_192
_NO_COST = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
_TOOLS_DENIED = ["exec", "process", "write", "edit", "apply_patch", "browser"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """The folder, configuration file and loopback port of an OpenClaw gateway."""

    folder: Path
    config: Path
    port: int

    @property
    def workspace(self) -> Path:
        """The workspace folder of its agents, which have no tools to use it."""
        return self.folder / "workspace"

    @property
    def url(self) -> str:
        """The WebSocket address for BUTLER_OPENCLAW_URL."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment that keeps it to one process and to its folder."""
        return {
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "OPENCLAW_STATE_DIR": str(self.folder / "state"),
            "OPENCLAW_CONFIG_PATH": str(self.config),
            "OPENCLAW_DISABLE_BONJOUR": "1",
            "OPENCLAW_NO_RESPAWN": "1",
            "OPENCLAW_SKIP_CHANNELS": "1",
            "OPENCLAW_SKIP_CRON": "1",
            "OPENCLAW_EXEC_SHELL_SNAPSHOT": "0",
            "OPENCLAW_NO_AUTO_UPDATE": "1",
            "NO_COLOR": "1",
        }


def set_up(place: Place, *, slots: int, actor: Actor, now: datetime) -> dict[str, Any]:
    """Add missing slots, set the concurrency limit of the runner, and write the configuration.

    Returns the configuration. Repeating the call changes nothing.
    """
    with transaction.atomic(durable=True):
        found = [slot.pk for slot in keys.add_slots(slots, runner=RUNNER, actor=actor, now=now)]
        Concurrency.objects.update_or_create(
            scope=f"runner:{RUNNER}", defaults={"attempts_max": len(found)}
        )
    config = configuration(place, slots=found, models=_models())
    for name in ("HOME", "TMPDIR", "OPENCLAW_STATE_DIR"):
        Path(place.environment[name]).mkdir(parents=True, exist_ok=True)
    place.workspace.mkdir(parents=True, exist_ok=True)
    _write(place.config, config)
    return config


def configuration(
    place: Place, *, slots: Iterable[str], models: Mapping[str, ModelFacts]
) -> dict[str, Any]:
    """The content of `openclaw.json`, including the secrets of the gateway and the slots."""
    slots, offered = list(slots), [_model(*each) for each in models.items()]
    providers = {slug: _provider(slot_token(slug), offered) for slug in slots}
    # Butler refuses calls without a slot, and OpenClaw must not fall back to another slot.
    providers["deny"] = _provider("deny", [_DENIED])
    return {
        "gateway": {
            "mode": "local",
            "port": place.port,
            "bind": "loopback",
            "auth": {"mode": "token", "token": gateway_token()},
            "controlUi": {"enabled": False},
            "terminal": {"enabled": False},
            "tools": {"allow": ["sessions_spawn"]},
        },
        "models": {
            "mode": "replace",
            "catalogRefresh": {"enabled": False},
            "providers": providers,
        },
        "agents": {"defaults": _agents(place, len(slots))},
        "tools": {
            "profile": "minimal",
            # A child does not run without any tool; `get_goal` is harmless.
            "alsoAllow": [
                "sessions_spawn",
                "subagents",
                "sessions_history",
                "sessions_list",
                "get_goal",
            ],
            "subagents": {"tools": {"deny": _TOOLS_DENIED}},
        },
        "plugins": {"enabled": False},
        "logging": {"file": str(place.folder / "openclaw.log")},
        "update": {"checkOnStart": False},
    }


def _agents(place: Place, slots: int) -> dict[str, Any]:
    return {
        "workspace": str(place.workspace),
        "skipBootstrap": True,
        "model": {"primary": "deny/deny"},
        "heartbeat": {"every": "0m"},
        "subagents": {
            "maxConcurrent": slots,
            # Each attempt has a parent session of its own, with one child.
            "maxChildrenPerAgent": 5,
            "maxSpawnDepth": 1,
            "runTimeoutSeconds": 900,
            "archiveAfterMinutes": 60,
        },
    }


def _provider(token: str, models: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "baseUrl": f"{settings.GATEWAY_URL}/v1",
        "apiKey": token,
        "api": "openai-completions",
        "timeoutSeconds": settings.UPSTREAM_SILENCE_SECONDS,
        "models": models,
    }


def _model(name: str, facts: ModelFacts) -> dict[str, Any]:
    effort = "reasoning_effort" not in facts.refused_parameters
    return {
        "id": name,
        "name": name,
        "reasoning": effort,
        "input": ["text"],
        "contextWindow": _CONTEXT_TOKENS,
        "maxTokens": _OUTPUT_TOKENS_MAX,
        "cost": _NO_COST,
        "compat": {
            "supportsReasoningEffort": effort,
            "supportsPromptCacheKey": "prompt_cache_key" not in facts.refused_parameters,
            "supportsUsageInStreaming": True,
            "maxTokensField": facts.output_field,
        },
    }


_DENIED = {
    "id": "deny",
    "name": "deny",
    "reasoning": False,
    "input": ["text"],
    "contextWindow": 16_000,
    "maxTokens": 256,
}


def _models() -> dict[str, ModelFacts]:
    """The models with text as answers that API keys serve which are not disabled, by name."""
    usable = ApiKey.objects.exclude(status=ApiKey.Status.INACTIVE).select_related("provider")
    served = usable.prefetch_related("served_models__model")
    found = {
        row.model.name: row.model.facts
        for key in served
        if key.speaks("openai")
        for row in key.served_models.all()
        if not row.model.outputs or "text" in row.model.outputs
    }
    return dict(sorted(found.items()))


def _write(file: Path, config: dict[str, Any]) -> None:
    """Write the file atomically, readable only by its owner, because it contains secrets."""
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f"{file.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    aside.touch(mode=0o600)
    aside.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    aside.replace(file)
