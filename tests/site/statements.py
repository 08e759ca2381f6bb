"""Every SQL statement of the apps, found in their modules, and parameters it can run with."""

import importlib
from collections.abc import Iterator
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from psycopg.types.json import Jsonb

from common.statements import Statement
from tests.moments import NOON
from tests.site.layers import HEIGHT

# By name, since a name means the same in every statement. Rows need not exist.
PARAMETERS: dict[str, Any] = {
    "actor_kind": "job",
    "actor_name": "test",
    "address": "",
    "adjustment": 1,
    "after": Jsonb({}),
    "after_charge": 0,
    "after_position": 0,
    "agent": "ada",
    "agent_id": "ada",
    "alert": 1,
    "allocated": 1000,
    "allocated_cost": Decimal(1),
    "allocation": 1,
    "allocations": [1],
    "allowed_models": [],
    "allowed_providers": [],
    "api_key": "",
    "api_key_id": "nvidia-1",
    "api_keys": ["nvidia-1"],
    "asked": Jsonb({}),
    "asked_model": "",
    "at": NOON,
    "attempts": [1],
    "audio_input_tokens": 0,
    "image_input_tokens": 0,
    "audio_output_tokens": 0,
    "image_output_tokens": 0,
    "web_searches": 0,
    "auto_rotate": True,
    "books_lock": 1,
    "cache_write_long_tokens": 0,
    "cache_write_tokens": 0,
    "cached_tokens": 0,
    "call_cost": Decimal(0),
    "channel": "keys_freezes",
    "charge": 1,
    "charges": [1],
    "closed_before": NOON,
    "cost": Decimal(1),
    "centres": ["research"],
    "cost_centre": None,
    "cost_centre_id": "org",
    "own_centre": "org",
    "path": ["org"],
    "bearer": "bt",
    "before": NOON,
    "created_at": NOON,
    "dedup_key": "",
    "detail": "",
    "digest": None,
    "done": [1],
    "endings": Jsonb([]),
    "ends_at": NOON,
    "expires_at": NOON,
    "facts": "{}",
    "failed": [1],
    "freeze_lock": 1,
    "full": ["all"],
    "holds": Jsonb([]),
    "idempotency_key": "once",
    "input_tokens": 1,
    "key": "nvidia-1",
    "key_id": None,
    "keys": ["nvidia-1"],
    "kind": "",
    "label": "",
    "last": NOON.date(),
    "least": 1,
    "midnight": NOON,
    "minute": NOON,
    "number": 1,
    "model": "",
    "model_mismatch": "serve",
    "models": [],
    "most": 10,
    "moves": Jsonb([]),
    "named_models": [],
    "now": NOON,
    "outcomes": Jsonb([]),
    "output_tokens": 0,
    "overrun": False,
    "paced": True,
    "patient": False,
    "payers": ["agent:ada"],
    "payers_usd": Decimal(1),
    "percents": [80, 100],
    "prefix": "bt",
    "price": 1,
    "price_id": 1,
    "provider": "nvidia",
    "provider_expanded": False,
    "raised_at": NOON,
    "reason": "",
    "reasoning_tokens": 0,
    "request_id": "",
    "refusal_status": None,
    "rotation_threshold": 750,
    "route": "",
    "runner": "openclaw",
    "rows": 1,
    "scope": "key:nvidia-1",
    "scopes": ["key:nvidia-1"],
    "session": None,
    "basis": "text",
    "p50": 1,
    "p90": 2,
    "p99": 3,
    "probe": False,
    "rule_tokens": 1,
    "sketch": b"",
    "text_digest": b"",
    "version_id": None,
    "session_id": "ses-1",
    "severity": "warning",
    "starts": Jsonb([]),
    "starts_at": NOON,
    "status": "failed",
    "sub_tasks": [1],
    "task": 1,
    "tasks": [1],
    "token_cost": Decimal(0),
    "token_cost_max": Decimal(1),
    "title": "",
    "tokens": 1,
    "until": NOON,
    "verdicts": Jsonb({}),
    "wanted": "ses-1",
    "who": "test",
    "windows": [1],
    "wire_format": "openai",
    "waits": ["no_capacity"],
    "worker": "worker-1",
    "zone": "UTC",
}
_SPEND = {
    "by_days": True,
    "since": NOON,
    "providers": [],
    "key_ids": [],
    "agents": [],
    "cost_centres": [],
    "paying_centres": [],
    "labels": [],
    "within": None,
    "within_centre": None,
    "by": "agent",
    "then_by": "model",
    "step": "day",
}
OWN_PARAMETERS = {
    "keys.books.sql.spend_sums.SPEND": _SPEND,
    "keys.books.sql.spend_sums.SPEND_COLUMNS": _SPEND | {"shown": ["agent"]},
    "keys.books.queries.usage_lines.USAGE_LINES": {"since": NOON, "within": None},
    "keys.books.queries.provider_usage.PROVIDER_USAGE": {"since": NOON},
    "keys.books.queries.provider_usage.PROVIDER_CALLS": {"since": NOON},
    "keys.books.queries.provider_usage.ESTIMATED_CALLS": {"since": NOON},
    "reports.sql.freeze.FREEZE": {"close": 1, "month": 1, "since": NOON},
    # It takes arrays of equal length.
    "keys.books.sql.rotate.MOVE": {
        "scope": ["key:nvidia-1"],
        "tokens": [1],
        "cost": [Decimal(1)],
    },
}


def statements(root: Path) -> dict[str, Statement[Any]]:
    """Every statement of the apps below `root`, by the dotted name of where it is defined."""
    found: dict[int, tuple[str, Statement[Any]]] = {}
    for module in _modules(root):
        for name, value in vars(module).items():
            if isinstance(value, Statement):
                # Packages export what their modules define: the longest name is the module's.
                known = found.get(id(value), ("", value))[0]
                found[id(value)] = max(known, f"{module.__name__}.{name}", key=len), value
    return dict(sorted(found.values(), key=itemgetter(0)))


def parameters_of(name: str) -> dict[str, Any]:
    """What a statement can run with; psycopg ignores those that it does not name."""
    return PARAMETERS | OWN_PARAMETERS.get(name, {})


def _modules(root: Path) -> Iterator[ModuleType]:
    for app in HEIGHT:
        for file in sorted((root / app).rglob("*.py")):
            if "Statement(" in file.read_text(encoding="utf-8"):
                name = ".".join(file.relative_to(root).with_suffix("").parts)
                yield importlib.import_module(name.removesuffix(".__init__"))
