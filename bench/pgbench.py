"""pgbench running the statements of `keys.books.sql` on the same server: the limit.

The scripts are made from the very same strings, with pgbench's variables in the place of our
parameters, so that what differs is only who calls.
"""

import re
import shutil
import subprocess
import tempfile
from typing import Any

from django.db import connection

from bench import rows
from common import embedded_postgres
from common.statements import Statement
from keys.books import sql

_TPS = re.compile(r"tps = ([\d.]+)")
_PARAMETER = re.compile(r"%\((\w+)\)s")

_CLIENT = "CAST(:client_id AS int)"

# SQL for each parameter. `:r` is new in every transaction, `:client_id` is pgbench's own; no
# variable may be called like what follows a colon in a scope (`key:key-1`).
_LEND = {
    "books_lock": str(sql.BOOKS_LOCK),
    "agent": f"('agent-' || {_CLIENT} % {rows.AGENTS})",
    "agent_id": f"('agent-' || {_CLIENT} % {rows.AGENTS})",
    "idempotency_key": "NULL",
    "cost_centre": "'org'",
    "cost_centre_id": "'org'",
    "payers_usd": "NULL",
    "payers": f"ARRAY['agent:' || 'agent-' || {_CLIENT} % {rows.AGENTS}, 'centre:' || 'org']",
    "scopes": "ARRAY['key:' || 'key-' || CAST(:key AS int), "
    f"'agent:' || 'agent-' || {_CLIENT} % {rows.AGENTS}, 'centre:' || 'org']",
    "now": "now()",
    "created_at": "now()",
    "allocated": "1000",
    "allocated_cost": "0.015",
    "session_id": f"('bench-' || {_CLIENT} || '-' || CAST(:r AS bigint))",
    "api_key_id": "('key-' || CAST(:key AS int))",
    "price_id": "(SELECT min(id) FROM keys_price)",
    "token_cost_max": "0.000015",
    "rotation_threshold": "750",
    "auto_rotate": "true",
    "wire_format": "''",
    "refusal_status": "NULL",
    "provider_expanded": "false",
    "label": "''",
    "asked": "'{}'::jsonb",
    "models": "'{}'::text[]",
    "allowed_models": "'{}'::text[]",
    "allowed_providers": "'{}'::text[]",
    "token_cost": "0",
    "named_models": "'{}'::text[]",
    "model_mismatch": "'serve'",
    "expires_at": "now() + interval '1 hour'",
    "own_centre": "'org'",
    "path": "'{org}'::varchar[]",
    "verdicts": "'{}'::jsonb",
    "actor_name": "'bench'",
    "actor_kind": "'job'",
    "address": "''",
    "request_id": "''",
    "after": "'{}'::jsonb",
}
_CALL = {
    "books_lock": str(sql.BOOKS_LOCK),
    "allocation": "CAST(:allocation AS bigint)",
    "allocations": "ARRAY[CAST(:allocation AS bigint)]",
    "scopes": "'{}'::text[]",
    "now": "now()",
    "api_key": "''",
    "least": "200",
    "most": "200",
    "idempotency_key": f"('bench-' || {_CLIENT} || '-' || CAST(:r AS bigint))",
    "digest": "NULL",
    "model": "''",
    "asked_model": "''",
    "price": "CAST(NULL AS bigint)",
    "token_cost": "CAST(NULL AS numeric)",
    "call_cost": "0.0",
    "patient": "false",
    "route": "''",
    "wire_format": "'openai'",
    "until": "now() + interval '10 minutes'",
}
_ENDED = {
    **_CALL,
    "endings": "jsonb_build_array(jsonb_build_object("
    "'id', CAST(:pk AS bigint), 'status', 'settled', 'basis', 'provider', 'input_tokens', 80, "
    "'cached_tokens', 0, 'cache_write_tokens', 0, 'cache_write_long_tokens', 0, "
    "'audio_input_tokens', 0, 'image_input_tokens', 0, 'output_tokens', 20, "
    "'reasoning_tokens', 0, 'audio_output_tokens', 0, 'image_output_tokens', 0, "
    "'tokens', 100, 'cost', '0.00054', 'provider_request_id', ''))",
    "at": "now()",
}


def allocate(clients: int, seconds: float) -> float:
    """Allocations per second: look, candidates, commit; the key at random."""
    script = [
        r"\set r random(1, 1000000000000)",
        rf"\set key random(0, {rows.KEYS - 1})",
        "BEGIN;",
        _with_values(sql.LOOK, _LEND),
        _with_values(sql.CANDIDATES, _LEND),
        _with_values(sql.ALLOCATE, _LEND),
        "COMMIT;",
    ]
    return run(script, clients, seconds)


def hold_and_settle(clients: int, seconds: float) -> float:
    """Pairs per second, each client in an allocation of its own."""
    first = min(rows.lend(f"agent-{n % rows.AGENTS}", tokens=10**9).pk for n in range(clients))
    script = [
        r"\set r random(1, 1000000000000)",
        rf"\set allocation :client_id + {first}",
        _with_values(sql.HOLD_ONE, _CALL).removesuffix(";") + r" \gset",
        "BEGIN;",
        _with_values(sql.JOIN, _CALL),
        _with_values(sql.LOCK, _CALL),
        _with_values(sql.END, _ENDED),
        "COMMIT;",
    ]
    return run(script, clients, seconds)


def _with_values(statement: Statement[Any], values: dict[str, str]) -> str:
    text = _PARAMETER.sub(lambda match: values[match[1]], statement.text).replace("%%", "%")
    return text + ";"


def run(script: list[str], clients: int, seconds: float, *, rate: int = 0) -> float:
    """Transactions per second of a script; at most `rate`, if that is not 0."""
    rows.close_connections()
    settings = connection.settings_dict
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write("\n".join(script))
        file.flush()
        command = [_program(), "-n", "-M", "prepared", "-f", file.name, "-T", str(round(seconds))]
        command += ["-c", str(clients), "-j", str(min(2, clients)), "-h", settings["HOST"]]
        command += ["-R", str(rate)] if rate else []
        command += ["-U", settings["USER"], settings["NAME"]]
        process = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if process.returncode:
        raise SystemExit(f"pgbench failed:\n{process.stderr}")
    match = _TPS.search(process.stdout)
    if match is None:
        raise SystemExit(f"pgbench printed no rate:\n{process.stdout}")
    return float(match[1])


def _program() -> str:
    """pgbench of the embedded server, else the one on the PATH."""
    own = embedded_postgres.programs() / "pgbench"
    return str(own) if own.exists() else shutil.which("pgbench") or "pgbench"
