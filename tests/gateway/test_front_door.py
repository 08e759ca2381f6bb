"""Requests as clients really write them: paths, credentials, encodings, origins."""

import gzip
import zlib
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import brotli
import pytest
from backports import zstd

from gateway.requests import Request
from keys.identity.queries.credentials import session_token
from keys.models import Charge
from tests.books import assert_books_balance
from tests.gateway.server import (
    PATHS,
    WAITS_SECONDS,
    Answer,
    answer_of,
    gateway_on,
    lend,
    supply,
)
from tests.keys.builders import PAID

pytestmark = pytest.mark.django_db(transaction=True)
CHAT, MESSAGES = PATHS["openai"], PATHS["anthropic"]
EMBEDDING = "text-embedding-3-small"
HI = b'{"model":"any","max_tokens":40,"messages":[{"role":"user","content":"hi"}]}'
INPUTS = {
    "/v1/embeddings": b'{"model":"any","input":"hi"}',
    "/v1/responses": b'{"model":"any","max_output_tokens":40,"input":"hi"}',
}


@pytest.fixture
def session(sandbox, settings):
    """A session of the gateway."""
    supply("key-1", served_rates={EMBEDDING: PAID})
    with gateway_on(sandbox, settings) as running:
        yield lend(running.url)


def ask(session, path=CHAT, body=HI, *, method="POST", headers=None) -> Answer:
    """A request with these headers beside the session's token; `headers` can take it away."""
    sent = {"authorization": f"Bearer {session.token}", **(headers or {})}
    sent = {name: value for name, value in sent.items() if value is not None}
    with closing(HTTPConnection(urlsplit(session.url).netloc, timeout=WAITS_SECONDS)) as way:
        way.request(method, path, body, sent)
        return answer_of(way)


# --- Paths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("//v1/chat/completions", CHAT),
        ("/v1//chat/completions", CHAT),
        ("/v1/v1/chat/completions", CHAT),
        ("/v1/chat/completions/", CHAT),
        ("/chat/completions", CHAT),
        ("/V1/chat/completions", CHAT),
        ("/v1/V1//chat//completions//", CHAT),
        ("/openai/v1/chat/completions?api-version=preview", CHAT),
        ("/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", CHAT),
        ("/openai/deployments/my/own%20name/chat/completions", CHAT),
        ("/deployments/text-embedding-3-small/embeddings", "/v1/embeddings"),
        ("/v1/engines/any/embeddings", "/v1/embeddings"),
        ("/responses", "/v1/responses"),
        ("/openai/responses?api-version=2025-04-01-preview", "/v1/responses"),
        ("/openai/v1/responses/", "/v1/responses"),
        ("/v1/v1/responses", "/v1/responses"),
        ("/embeddings/", "/v1/embeddings"),
        ("/messages", MESSAGES),
        ("/v1/v1/messages?beta=true", MESSAGES),
        ("/anthropic/v1/messages", MESSAGES),
        ("/messages/count_tokens", "/v1/messages/count_tokens"),
    ],
)
def test_every_spelling_of_a_route_is_the_route(session, sandbox, path, route):
    answer = ask(session, path, INPUTS.get(route, HI))
    assert answer.status == 200, answer.body
    assert [call["route"] for call in sandbox.log()] == [route]
    assert Charge.objects.get().route == route
    assert_books_balance()


@pytest.mark.parametrize("path", ["/models", "/v1/models/", "//V1/models", "/openai/models"])
def test_models_are_listed_under_every_spelling(session, path):
    answer = ask(session, path, None, method="GET")
    assert [model["id"] for model in answer.json["data"]] == ["gpt-4o", EMBEDDING]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/files",
        "/files",
        "/v1beta/models/gemini-2.5-pro:generateContent",
        "/openai/deployments/gpt-4o/images/generations",
        "/v1/openai/deployments",
        "/v2/chat/completions",
        "/chat",
        "/V1",
        "/v1",
        "/v1/CHAT/completions",
        "/responses/input_items",
        "/audio/transcriptions",
    ],
)
def test_an_unknown_path_is_told_the_base_url_in_json(session, sandbox, settings, path):
    settings.PUBLIC_URL = "https://butler.example"
    answer = ask(session, path)
    assert (answer.status, answer.code) == (404, "route_not_found")
    assert answer.headers["content-type"] == "application/json"
    assert "https://butler.example/v1 for clients of OpenAI's" in answer.json["error"]["message"]
    assert path in answer.json["error"]["message"]
    assert not sandbox.log()


def test_an_unknown_path_of_anthropic_is_told_in_its_format(session):
    for path, headers in (("/messages/batches", {}), ("/files", {"anthropic-version": "x"})):
        answer = ask(session, path, headers=headers)
        assert (answer.status, answer.json["error"]["type"]) == (404, "not_found_error")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/chat/completions",
        "/api/chat",
        "/api/v1/no-such-thing",
        "/llm/v1/chat/completions",
        "/butler/messages",
        "/proxy/openai",
    ],
)
def test_a_program_with_another_wrong_base_url_is_told_the_right_one_in_json(
    session, settings, path
):
    settings.PUBLIC_URL = "https://butler.example"
    answer = ask(session, path, headers={"content-type": "application/json"})
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "https://butler.example/v1 for clients of OpenAI's" in answer.json["detail"]


@pytest.mark.parametrize("path", ["/no-such-page", "/models", "/messages", "/chat/completions"])
def test_a_browser_gets_a_page(session, path):
    accept = {"authorization": None, "accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    answer = ask(session, path, None, method="GET", headers=accept)
    assert (answer.status, answer.headers["content-type"].split(";")[0]) == (404, "text/html")


@pytest.mark.parametrize(
    ("path", "query", "forwarded"),
    [
        (MESSAGES, b"beta=true", "beta=true"),
        (MESSAGES, b"beta=true&beta=true&x=1", "beta=true"),
        (f"{MESSAGES}/count_tokens", b"key=bs_1&beta=true", "beta=true"),
        (MESSAGES, b"beta=false&BETA=true&model=x", ""),
        (MESSAGES, b"a=%00%zz&b=\\&=&&", ""),
        (MESSAGES, b"", ""),
        (CHAT, b"beta=true", ""),
        (CHAT, b"api-version=2024-10-21&api-key=bs_1&access_token=3", ""),
        (CHAT, b"model=gpt-9&key=x", ""),
        ("/v1/responses", b"include=x&service_tier=priority", ""),
    ],
)
def test_only_what_is_known_of_a_query_is_forwarded(path, query, forwarded):
    scope = {"method": "POST", "path": path, "query_string": query, "headers": []}
    assert Request(scope, None, None).forwarded_query == forwarded


# --- One model -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/models/gpt-4o", "/models/gpt-4o", "/V1//models/gpt-4o/"])
def test_the_model_of_the_session_is_described(session, sandbox, path):
    answer = ask(session, path, None, method="GET")
    assert answer.status == 200
    assert answer.json == {"id": "gpt-4o", "object": "model", "created": 0, "owned_by": "nvidia"}
    answer = ask(session, path, None, method="GET", headers={"anthropic-version": "2023-06-01"})
    assert (answer.json["type"], answer.json["id"]) == ("model", "gpt-4o")
    assert not sandbox.log()


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("meta/Llama-3.1:free", "/v1/models/meta/Llama-3.1:free"),
        ("accounts/fireworks/models/kimi", "/v1/models/accounts/fireworks/models/kimi"),
        ("ft:gpt-4o:org::id", "/v1/models/ft:gpt-4o:org::id"),
        ("meta/llama", "/v1/models/meta%2Fllama"),
    ],
)
def test_the_id_of_a_model_may_have_slashes_and_colons(sandbox, settings, model, path):
    supply("key-1", model=model)
    with gateway_on(sandbox, settings) as running:
        answer = ask(lend(running.url), path, None, method="GET")
    assert (answer.status, answer.json["id"]) == (200, model)


@pytest.mark.parametrize("name", ["gpt-5", "GPT-4o-mini", "a/b", "%00", "gpt-4o%20"])
def test_a_model_that_the_session_has_not_is_404_in_the_format_of_the_client(session, name):
    answer = ask(session, f"/v1/models/{name}", None, method="GET")
    assert (answer.status, answer.json["error"]["code"]) == (404, "model_not_found")
    assert answer.json["butler"]["models"] == ["gpt-4o", EMBEDDING]
    anthropic = {"anthropic-version": "2023-06-01"}
    answer = ask(session, f"/v1/models/{name}", None, method="GET", headers=anthropic)
    assert (answer.status, answer.json["error"]["type"]) == (404, "not_found_error")


def test_a_request_for_a_model_needs_a_session(session):
    headers = {"authorization": None}
    answer = ask(session, "/v1/models/gpt-4o", None, method="GET", headers=headers)
    assert answer.status == 401


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, b'{"messages":[{"role":"user","content":"hi"}]}'),
        (CHAT, b'{"model":null,"messages":[{"role":"user","content":"hi"}]}'),
        (MESSAGES, b'{"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'),
        ("/v1/responses", b'{"input":"hi"}'),
        ("/v1/embeddings", b'{"model":"","input":"hi"}'),
        ("/v1/messages/count_tokens", b'{"messages":[{"role":"user","content":"hi"}]}'),
        (
            "/openai/deployments/x/chat/completions",
            b'{"messages":[{"role":"user","content":"hi"}]}',
        ),
    ],
)
def test_a_request_without_a_model_is_made_with_that_of_the_session(session, sandbox, path, body):
    assert ask(session, path, body).status == 200
    assert sandbox.log()[0]["model"] == (EMBEDDING if "embeddings" in path else "gpt-4o")


# --- Credentials ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": None, "x-api-key": "TOKEN"},
        {"authorization": None, "api-key": "TOKEN"},
        {"authorization": None, "x-goog-api-key": "TOKEN"},
        {"authorization": "Bearer sk-ant-oat01-foreign", "x-api-key": "TOKEN"},
        {"authorization": "bearer TOKEN", "x-api-key": "sk-ant-foreign"},
        {"authorization": "Basic dXNlcjpwYXNz", "api-key": "TOKEN"},
        {"authorization": "Bearer ", "x-goog-api-key": "TOKEN"},
        {"authorization": "Bearer not-needed", "x-api-key": "dummy", "api-key": " TOKEN "},
        {"authorization": "Bearer bt_agent_token", "x-api-key": "TOKEN"},
    ],
)
def test_the_first_credential_that_is_ours_is_taken(session, sandbox, headers):
    sent = {
        name: value and value.replace("TOKEN", session.token) for name, value in headers.items()
    }
    answer = ask(session, headers=sent)
    assert answer.status == 200, answer.body
    assert len(sandbox.log()) == 1


def test_of_several_headers_with_one_name_the_one_that_is_ours_is_taken(session):
    with closing(HTTPConnection(urlsplit(session.url).netloc, timeout=WAITS_SECONDS)) as way:
        way.putrequest("POST", CHAT)
        for value in (f"Bearer {session.token}", "Bearer sk-foreign"):
            way.putheader("authorization", value)
        way.putheader("content-length", str(len(HI)))
        way.endheaders(HI)
        assert answer_of(way).status == 200


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"authorization": None}, "?key=TOKEN"),
        ({"authorization": "Bearer sk-foreign"}, "?api_key=TOKEN"),
        ({"authorization": "TOKEN"}, ""),
        ({"authorization": None, "cookie": "token=TOKEN"}, ""),
        ({"authorization": None, "x-token": "TOKEN"}, ""),
    ],
)
def test_a_token_in_any_other_place_is_not_taken(session, sandbox, headers, query):
    sent = {
        name: value and value.replace("TOKEN", session.token) for name, value in headers.items()
    }
    answer = ask(session, CHAT + query.replace("TOKEN", session.token), headers=sent)
    assert answer.status == 401
    assert not sandbox.log()


def test_a_token_of_ours_that_is_not_genuine_does_not_let_another_pay(session):
    forged = session_token(session.allocation.session_id)[:-3] + "abc"
    answer = ask(session, headers={"authorization": f"Bearer {forged}", "x-api-key": session.token})
    assert answer.status == 401


# --- Encodings -----------------------------------------------------------------------------------


def _raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("GZip", gzip.compress),
        ("x-gzip", lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:])),
        ("deflate", zlib.compress),
        ("deflate", _raw_deflate),
        ("br", brotli.compress),
        ("zstd", zstd.compress),
        ("zstd", lambda body: zstd.compress(body[:9]) + zstd.compress(body[9:])),
        ("gzip, zstd", lambda body: zstd.compress(gzip.compress(body, mtime=0))),
        ("identity, br , gzip", lambda body: gzip.compress(brotli.compress(body))),
        ("identity", bytes),
        ("Identity", bytes),
        ("", bytes),
        (" , ", bytes),
    ],
)
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_a_compressed_request_is_the_request(session, sandbox, path, encoding, encode):
    answer = ask(session, path, encode(HI), headers={"content-encoding": encoding})
    assert answer.status == 200, answer.body
    (call,) = sandbox.log()
    charge = Charge.objects.get()
    assert (charge.input_tokens, charge.output_tokens) == (call["input"], call["output"])
    assert_books_balance()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", HI),
        ("gzip", gzip.compress(HI, mtime=0)[:-9]),
        ("br", b"\xff\xff" + HI),
        ("zstd", zstd.compress(HI)[:-1]),
        ("deflate", HI),
        ("gzip", zstd.compress(HI)),
        ("compress", HI),
        ("gzip, aes128gcm", gzip.compress(HI, mtime=0)),
        ("gzip," * 5, HI),
    ],
)
def test_a_body_that_is_not_what_its_encoding_says_is_refused(session, sandbox, encoding, body):
    answer = ask(session, body=body, headers={"content-encoding": encoding})
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.json["error"]["param"] == "Content-Encoding"
    assert not sandbox.log()


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("br", lambda body: brotli.compress(body, quality=1)),
        ("zstd", zstd.compress),
        ("gzip, gzip", lambda body: gzip.compress(gzip.compress(body, mtime=0))),
        ("zstd, br", lambda body: brotli.compress(zstd.compress(body))),
    ],
)
def test_a_small_body_that_decodes_to_a_huge_one_is_413(session, settings, encoding, encode):
    bomb = encode(b" " * 40_000_000)
    assert len(bomb) < 200_000
    answer = ask(session, body=bomb, headers={"content-encoding": encoding})
    assert (answer.status, answer.code) == (413, "body_too_large")


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + HI,
        b"\xef\xbb\xbf\r\n " + HI,
        b"\xef\xbb\xbf" + HI.replace(b"hi", "\ufeff日本".encode()),
    ],
)
def test_a_byte_order_mark_is_not_part_of_the_body(session, sandbox, body):
    assert ask(session, body=body).status == 200
    assert (
        ask(session, body=gzip.compress(body, mtime=0), headers={"content-encoding": "gzip"}).status
        == 200
    )


# --- Origins -------------------------------------------------------------------------------------

APP = "https://app.example.com"
PREFLIGHT = {
    "authorization": None,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-lang",
}


@pytest.mark.parametrize(
    ("allowed", "origin", "said"),
    [
        ([APP], APP, APP),
        (["https://b.example", APP], "https://APP.example.com", "https://APP.example.com"),
        (["http://localhost:5173"], "http://localhost:5173", "http://localhost:5173"),
        (["tauri://localhost"], "tauri://localhost", "tauri://localhost"),
        (["*"], "https://anything.example", "*"),
        (["*"], "null", "*"),
    ],
)
@pytest.mark.parametrize("path", [CHAT, MESSAGES, "/responses", "/v1/models/a/b"])
def test_a_page_of_an_allowed_origin_may_call(session, settings, allowed, origin, said, path):
    settings.GATEWAY_CORS_ORIGINS = allowed
    headers = {**PREFLIGHT, "origin": origin}
    answer = ask(session, path, None, method="OPTIONS", headers=headers)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == said
    assert answer.headers["access-control-allow-methods"] == "GET, POST, OPTIONS"
    wanted = PREFLIGHT["access-control-request-headers"]
    assert answer.headers["access-control-allow-headers"] == wanted
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers.get("vary") == (None if said == "*" else "Origin")


@pytest.mark.parametrize("stream", [True, False])
def test_a_page_may_read_answers_and_the_headers_of_butler(session, settings, stream):
    settings.GATEWAY_CORS_ORIGINS = [APP]
    answer = session.call(headers={"origin": APP}, stream=stream)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == APP
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"x-butler-charge-id", "x-butler-tokens-left", "x-request-id"} <= set(exposed)
    assert ("x-butler-cost-max" if stream else "x-butler-cost") in exposed


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        (CHAT, HI, {"authorization": None}, 401),
        (CHAT, b"{", {}, 400),
        ("/v1/files", HI, {}, 404),
        (CHAT, b'{"max_tokens":10,"messages":[],"web_search_options":{"a":1}}', {}, 400),
        (CHAT, HI, {"content-encoding": "compress"}, 400),
    ],
)
def test_a_page_may_read_errors(session, settings, path, body, headers, status):
    settings.GATEWAY_CORS_ORIGINS = [APP]
    answer = ask(session, path, body, headers={"origin": APP, **headers})
    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == APP
    assert "x-should-retry" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    ("allowed", "origin"),
    [
        ([], APP),
        ([APP], "https://evil.example"),
        ([APP], "https://app.example.com.evil.example"),
        ([APP], "http://app.example.com"),
        ([APP], "https://app.example.com:8443"),
        ([APP], "null"),
        ([APP], None),
    ],
)
def test_a_page_of_another_origin_may_not(session, settings, allowed, origin):
    settings.GATEWAY_CORS_ORIGINS = allowed
    answer = ask(session, CHAT, None, method="OPTIONS", headers={**PREFLIGHT, "origin": origin})
    assert (answer.status, answer.code) == (404, "route_not_found")
    assert "access-control-allow-origin" not in answer.headers
    answer = ask(session, headers={"origin": origin})
    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


# --- HTTP ----------------------------------------------------------------------------------------


def test_a_request_in_chunks_works(session, sandbox):
    chunks = iter([HI[:7], HI[7:8], HI[8:]])
    assert ask(session, body=chunks).status == 200
    compressed = gzip.compress(HI, mtime=0)
    chunks = iter([compressed[:3], compressed[3:]])
    assert ask(session, body=chunks, headers={"content-encoding": "gzip"}).status == 200
    assert len(sandbox.log()) == 2


def test_odd_but_right_requests_work(session):
    for headers in (
        {"expect": "100-continue"},
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=utf-16"},
        {"x-long": "x" * 30_000},
    ):
        assert ask(session, headers=headers).status == 200
