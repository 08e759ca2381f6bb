"""`python -m bench.budget`: how much of a budget real conversations can use.

A conversation grows by texts of this repository, with one tool, until a call is refused. Then its
client starts a new one, as clients do that compact theirs, until the first call of one is refused
too. The provider counts as the real ones do: OpenAI's tokenizer for GPT, a quarter more for Claude.
*exact* is what the first conversation would have used if each bound were the provider's count.
"""

import json
import math
import sys
import threading
from collections import Counter
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from bench import fresh

_BUDGETS = [(20_000, 3_000), (100_000, 3_000), (500_000, 3_000), (200_000, 60_000)]
_MODELS = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5"}
_PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
_OUTPUT_MAX = 1_000
_OUTPUT_LEAST = 16
_GOAL = 0.9
_ANSWER = "The figures of this part agree with those of the part before; here is what differs. " * 6
_SCHEMA = {
    "type": "object",
    "properties": {"path": {"type": "string", "description": "The file to read."}},
    "required": ["path"],
}
_TOOLS = {
    "openai": [{"type": "function", "function": {"name": "read_file", "parameters": _SCHEMA}}],
    "anthropic": [{"name": "read_file", "input_schema": _SCHEMA}],
}


def _texts(size: int) -> list[str]:
    root = Path(__file__).parents[1]
    files = [*sorted(root.glob("docs/decisions/*.md")), *sorted(root.glob("gateway/**/*.py"))]
    whole = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return [whole[at : at + size] for at in range(0, len(whole), size)]


def _body(wire_format: str, said: list[str]) -> dict[str, Any]:
    messages = [
        {"role": "assistant" if number % 2 else "user", "content": text}
        for number, text in enumerate(said)
    ]
    tools = _TOOLS[wire_format]
    return {"model": "any", "max_tokens": _OUTPUT_MAX, "messages": messages, "tools": tools}


class _Provider:
    """OpenAI and Anthropic at once. `asked`: how many requests came, by path."""

    def __init__(self) -> None:
        from gateway import bounds  # noqa: PLC0415
        from keys.supply.model_facts import facts_by_name  # noqa: PLC0415

        self._facts, self._exact = facts_by_name(_MODELS["openai"]), bounds.text_tokens_exact
        self._known: dict[str, int] = {}
        self.asked: Counter[str] = Counter()

    def _text(self, text: str) -> int:
        if text not in self._known:
            self._known[text] = self._exact(text, model=self._facts) or 0
        return self._known[text]

    def input_tokens(self, body: dict[str, Any]) -> int:
        """What is billed for the input of a request."""
        turns: int = sum(self._text(each["content"]) + 4 for each in body["messages"])
        tools = self._text(json.dumps(body["tools"]))
        if body["model"] == _MODELS["anthropic"]:
            return math.ceil(1.25 * (turns + tools)) + 346
        return turns + tools + 3 + 12

    def output_tokens(self, body: dict[str, Any]) -> int:
        """What is billed for the answer."""
        factor = 1.25 if body["model"] == _MODELS["anthropic"] else 1
        return min(math.ceil(self._text(_ANSWER) * factor), int(body["max_tokens"]))

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request."""
        self.asked[path] += 1
        tokens = self.input_tokens(body)
        if path.endswith("count_tokens"):
            return {"input_tokens": tokens}
        output = self.output_tokens(body)
        if path == _PATHS["anthropic"]:
            usage = {"input_tokens": tokens, "output_tokens": output}
            content = [{"type": "text", "text": _ANSWER}]
            return {"id": "msg_1", "type": "message", "content": content, "usage": usage}
        usage = {"prompt_tokens": tokens, "completion_tokens": output}
        message = {"role": "assistant", "content": _ANSWER}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        usage["total_tokens"] = tokens + output
        return {"id": "x", "choices": choices, "usage": usage}


def _serve(provider: _Provider) -> int:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answer = json.dumps(provider.answer(self.path, body)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *said: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


class _Used(NamedTuple):
    """Tokens used when the first call was refused, and when nothing could be said any more."""

    first: int
    whole: int
    calls: int


class _Client:
    """One session of a client at Butler."""

    def __init__(self, port: int, wire_format: str, token: str, budget: int) -> None:
        self._wire_format, self._budget = wire_format, budget
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self._connection = HTTPConnection("127.0.0.1", port)
        self._used = self._calls = 0

    def talk(self, texts: list[str]) -> _Used:
        """Talk about the texts, one after the other, until not even a new conversation fits."""
        self._used = self._calls = 0
        first, said = None, []
        for number in count():
            said.append(texts[number % len(texts)])
            if self._call(said):
                said.append(_ANSWER)
                continue
            first = self._used if first is None else first
            if len(said) == 1:
                break
            said = []
        return _Used(first or self._used, self._used, self._calls)

    def _call(self, said: list[str]) -> bool:
        body = json.dumps(_body(self._wire_format, said)).encode()
        self._connection.request("POST", _PATHS[self._wire_format], body, self._headers)
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        if response.status == 400:
            return False
        if response.status != 200:
            raise SystemExit(f"{response.status}: {answer}")
        self._calls += 1
        self._used = self._budget - int(response.headers["x-butler-tokens-left"])
        return True


def _exact(provider: _Provider, wire_format: str, budget: int, texts: list[str]) -> int:
    """What the first conversation would use if each of its bounds were exact."""
    used, said = 0, []
    for text in texts:
        said.append(text)
        body = _body(wire_format, said) | {"model": _MODELS[wire_format]}
        tokens = provider.input_tokens(body)
        if used + tokens + _OUTPUT_LEAST > budget:
            break
        used += tokens + min(provider.output_tokens(body), budget - used - tokens)
        said.append(_ANSWER)
    return used


def main() -> None:
    """Print the table, with the routes of providers that count and without them."""
    fresh.database()
    # Modules with models need the settings, which name the fresh database only from here on.
    from bench import rows, server  # noqa: PLC0415
    from bench.gateway.report import say  # noqa: PLC0415
    from keys.identity.queries.credentials import session_token  # noqa: PLC0415

    rows.make()
    provider = _Provider()
    base_url = f"http://127.0.0.1:{_serve(provider)}/v1"
    for wire_format, model in _MODELS.items():
        # The wire formats have the names of their makers.
        api_key = rows.add_key(wire_format, provider=wire_format, model=model, base_url=base_url)
        for period in ("day", "month"):
            rows.limit(api_key, period)
    say(
        sys.stdout,
        f"{'format':>10} {'budget':>8} {'a turn':>7} {'counts':>7} | {'refused at':>10} "
        f"{'exact':>6} {'used':>6} {'goal':>6} | {'calls':>6} {'counted':>7}",
    )
    for counts, environ in {"on": {}, "off": {"BUTLER_GATEWAY_COUNT_SECONDS": "0"}}.items():
        with server.running(workers=1, environ=environ) as butler:
            for wire_format in _MODELS:
                for budget, size in _BUDGETS:
                    lent = rows.lend("agent-0", tokens=budget, models=[_MODELS[wire_format]])
                    client = _Client(
                        butler.port, wire_format, session_token(lent.session_id), budget
                    )
                    texts = _texts(size)
                    before = provider.asked["/v1/messages/count_tokens"]
                    used = client.talk(texts)
                    counted = provider.asked["/v1/messages/count_tokens"] - before
                    exact = _exact(provider, wire_format, budget, texts) / budget
                    share = used.whole / budget
                    say(
                        sys.stdout,
                        f"{wire_format:>10} {budget:>8,} {size:>7,} {counts:>7} | "
                        f"{used.first / budget:>10.1%} {exact:>6.1%} {share:>6.1%} "
                        f"{'met' if share >= _GOAL else 'missed':>6} | "
                        f"{used.calls:>6} {counted:>7}",
                    )


if __name__ == "__main__":
    main()
