"""What is put under load: the upstream itself, the bare proxy, Butler, LiteLLM."""

import json
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import server
from bench.gateway import rows
from bench.gateway.load import Load

BARE, BUTLER, BEFORE, LITELLM = "bare proxy", "Butler", "before", "LiteLLM"
# Milliseconds after which the upstream answers.
LATENCIES = (0, 50)
_PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
_SYSTEM = "You are a careful accountant. Answer in one short sentence and name your source."
_QUESTION = "Who paid for the tokens of the research team in March, and how many were there? " * 4


@dataclass(frozen=True)
class Target:
    """A server under load. `tokens`: session tokens by wire format and latency of the upstream."""

    name: str
    port: int
    pid: int
    path_has_latency: bool = True
    tokens: dict[tuple[str, int], list[str]] = field(default_factory=dict)

    def load(
        self,
        *,
        latency: int,
        stream: bool,
        wire_format: str = "openai",
        model: str = "",
        **options: Any,
    ) -> Load:
        """A load of calls to an upstream that answers after `latency` milliseconds."""
        path = _PATHS[wire_format]
        more = {"tokens": self.tokens.get((wire_format, latency), ["bench"])} | options
        return Load(
            port=self.port,
            path=f"/{latency}{path}" if self.path_has_latency else path,
            body=_body(wire_format, stream, model or rows.MODEL),
            **more,
        )


@contextmanager
def upstream() -> Iterator[Target]:
    """The upstream, called directly."""
    port = server.free_port()
    command = [sys.executable, "-m", "bench.gateway.upstream", str(port)]
    with server.serving(command, port=port, probe="/0/v1/models", environ={}) as running:
        yield Target("direct", running.port, running.pid)


@contextmanager
def bare(provider: Target, *, workers: int) -> Iterator[Target]:
    """The bare proxy before `provider`."""
    with server.running(
        workers=workers,
        application="bench.gateway.bare_proxy:application",
        environ={"BENCH_UPSTREAM": f"http://127.0.0.1:{provider.port}"},
    ) as running:
        yield Target(BARE, running.port, running.pid)


@contextmanager
def butler(tokens: dict[tuple[str, int], list[str]], *, workers: int) -> Iterator[Target]:
    """Butler's web server, as `manage.py up` starts it."""
    with server.running(workers=workers) as running:
        yield Target(BUTLER, running.port, running.pid, path_has_latency=False, tokens=tokens)


@contextmanager
def before(
    tokens: dict[tuple[str, int], list[str]], *, workers: int, folder: Path
) -> Iterator[Target]:
    """The same of the checkout in `folder`."""
    with server.running(workers=workers, folder=folder) as running:
        yield Target(BEFORE, running.port, running.pid, path_has_latency=False, tokens=tokens)


def lend(provider: Target) -> dict[tuple[str, int], list[str]]:
    """Rows, and the session tokens that `butler` is called with."""
    rows.make()
    root = f"http://127.0.0.1:{provider.port}"
    tokens = {("openai", ms): rows.lend(f"{root}/{ms}/v1") for ms in LATENCIES}
    anthropic = rows.lend(f"{root}/0/v1", wire_format="anthropic")
    rows.remember()
    return tokens | {("anthropic", 0): anthropic}


@contextmanager
def litellm(provider: Target, environment: Path, *, workers: int) -> Iterator[Target]:
    """LiteLLM's proxy of another environment, without a database: it keeps no books."""
    models = [
        {
            "model_name": f"ms{latency}",
            "litellm_params": {
                "model": f"openai/{rows.MODEL}",
                "api_base": f"http://127.0.0.1:{provider.port}/{latency}/v1",
                "api_key": "bench",
            },
        }
        for latency in LATENCIES
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        # JSON is YAML.
        json.dump({"model_list": models, "litellm_settings": {"telemetry": False}}, file)
        file.flush()
        port = server.free_port()
        command = [str(environment / "bin" / "litellm"), "--config", file.name]
        command += ["--host", "127.0.0.1", "--port", str(port), "--num_workers", str(workers)]
        variables = {"DATABASE_URL": "", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": ""}
        variables["PATH"] = f"{environment}/bin:{os.environ['PATH']}"
        # A new key for each run: LiteLLM does not start with a predefined one.
        key = variables["LITELLM_MASTER_KEY"] = f"sk-{secrets.token_hex(32)}"
        tokens = {("openai", latency): [key] for latency in LATENCIES}
        probe = "/health/liveliness"
        with server.serving(command, port=port, probe=probe, environ=variables) as running:
            yield Target(LITELLM, running.port, running.pid, path_has_latency=False, tokens=tokens)


def _body(wire_format: str, stream: bool, model: str) -> str:
    user = {"role": "user", "content": _QUESTION}
    body: dict[str, object] = {"model": model, "max_tokens": 100}
    if wire_format == "anthropic":
        body |= {"system": _SYSTEM, "messages": [user]}
    else:
        body["messages"] = [{"role": "system", "content": _SYSTEM}, user]
    return json.dumps(body | ({"stream": True} if stream else {}))
