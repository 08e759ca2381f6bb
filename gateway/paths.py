"""The paths of the gateway in all spellings that clients make of them.

Base URLs are written with and without `/v1`, with `/v1` twice, with a slash at the end, and as
Azure does: `/openai/deployments/{model}/chat/completions`.
"""

import re
from typing import NamedTuple

from gateway.dialects import DIALECTS

MODELS = "/v1/models"
# The route of one model; its id may have slashes.
MODEL = "/v1/models/{id}"

_VENDORS = ("openai", "anthropic")
_VERSION = re.compile(r"v\d+((alpha|beta)\d*)?", re.IGNORECASE)
_OURS = "v1"
_NAME_THE_MODEL = ("deployments", "engines")
# Longest first: every path that ends with `/chat/completions` also ends with `/completions`.
_ENDPOINTS = sorted((each.path.strip("/") for each in DIALECTS), key=len, reverse=True)
# How the paths of OpenAI's and Anthropic's APIs begin when `/v1` is left out.
_BEGINNINGS = frozenset(
    {"chat", "completions", "responses", "messages", "embeddings", "models", "deployments"}
    | {"engines", "files", "uploads", "batches", "images", "audio", "moderations", "fine_tuning"}
    | {"assistants", "threads", "vector_stores", "realtime", "rerank", "videos", "containers"}
    | {"conversations", *_VENDORS}
)


class Target(NamedTuple):
    """What a path means. `path`: of the route. `model`: the model that the path names, or ""."""

    path: str
    model: str = ""


def has_version(path: str) -> bool:
    """Whether a path begins with the version of an API: `/V1/…`, `//v1/…`, `/v1beta/…`."""
    return _VERSION.fullmatch(_first(path)) is not None


def is_unversioned(path: str) -> bool:
    """Whether a path is of an API for models, with the version left out: `/chat/completions`."""
    return _first(path).lower() in _BEGINNINGS


def target_of(path: str) -> Target:
    """The route that a path means, if it is one; otherwise the path in its plain spelling."""
    segments = _segments(path)
    while segments and segments[0].lower() in (*_VENDORS, _OURS):
        del segments[0]
    rest = "/".join(segments)
    first, _, name = rest.partition("/")
    if first == "models" and name:
        return Target(MODEL, name)
    if first in _NAME_THE_MODEL and (target := _after_model(name)):
        return target
    return Target(f"/{_OURS}/{rest}")


def _after_model(rest: str) -> Target | None:
    """The endpoint after a model: `gpt-4o/chat/completions`."""
    for endpoint in _ENDPOINTS:
        model = rest.removesuffix(f"/{endpoint}")
        if model != rest:
            return Target(f"/{_OURS}/{endpoint}", model)
    return None


def _first(path: str) -> str:
    return next(iter(_segments(path)), "")


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]
