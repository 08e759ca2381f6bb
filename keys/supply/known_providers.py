"""Well-known providers: their names, base URLs and wire formats."""

import difflib
import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

_FILE = Path(__file__).parent / "data" / "providers.json"
# `openai-2` is a second account with `openai`.
_ACCOUNT_NUMBER = re.compile(r"-\d{1,4}$")

# Programs' variables, and people, name some providers otherwise.
_OTHER_NAMES = {
    "xai": "x-ai",
    "grok": "x-ai",
    "gemini": "google",
    "google-generative-ai": "google",
    "claude": "anthropic",
    "open-router": "openrouter",
    "together-ai": "together",
    "togetherai": "together",
    "fireworks-ai": "fireworks",
    "mistralai": "mistral",
    "nim": "nvidia",
    "nvidia-nim": "nvidia",
}
# What the secrets of a provider begin with, where no other provider's do. Several share `sk-`.
_SECRETS = {
    "sk-ant-": "anthropic",
    "sk-or-": "openrouter",
    "sk-proj-": "openai",
    "sk-svcacct-": "openai",
    "csk-": "cerebras",
    "fw_": "fireworks",
    "AIza": "google",
    "gsk_": "groq",
    "nvapi-": "nvidia",
    "tgp_v1_": "together",
    "xai-": "x-ai",
    "hf_": "hugging-face",
    "pplx-": "perplexity",
    "bt_": "butler",
}
# Where people get their keys, beside the address of the API.
_SITES = {
    "openai.com": "openai",
    "anthropic.com": "anthropic",
    "claude.com": "anthropic",
    "claude.ai": "anthropic",
    "cerebras.ai": "cerebras",
    "deepseek.com": "deepseek",
    "fireworks.ai": "fireworks",
    "aistudio.google.com": "google",
    "groq.com": "groq",
    "mistral.ai": "mistral",
    "build.nvidia.com": "nvidia",
    "ngc.nvidia.com": "nvidia",
    "openrouter.ai": "openrouter",
    "together.ai": "together",
    "together.xyz": "together",
    "x.ai": "x-ai",
}


class WellKnown(NamedTuple):
    """The usual values of a provider; an unknown provider has only the default wire format."""

    name: str
    base_url: str = ""
    wire_format: str = "openai"


def well_known(slug: str) -> WellKnown:
    """The usual values for a provider with this slug, whose account number is ignored."""
    about = _all().get(without_account(slug))
    return WellKnown(**about) if about else WellKnown(slug)


def without_account(slug: str) -> str:
    """The provider's slug without the number of an account: `openai` for `openai-2`."""
    return _ACCOUNT_NUMBER.sub("", slug)


def provider_of_variable(prefix: str) -> str | None:
    """The provider that programs mean by a variable such as OPENAI_API_KEY, by its prefix; None if
    it is not known."""
    slug = prefix.lower().replace("_", "-")
    slug = _OTHER_NAMES.get(slug, slug)
    return slug if slug in _all() else None


def api_host(slug: str) -> str | None:
    """The host to which requests of a well-known provider go."""
    return urlsplit(well_known(slug).base_url).hostname


def provider_of_host(host: str) -> str | None:
    """The provider whose API or website is at `host`; None if it is not known."""
    name = host.lower().rstrip(".")
    for slug in _all():
        if name == api_host(slug):
            return slug
    return next((of for at, of in _SITES.items() if f".{name}".endswith(f".{at}")), None)


def issuer_of(secret: str) -> str | None:
    """The provider whose secrets begin as `secret` does; None if several may, or none does."""
    return next((slug for prefix, slug in _SECRETS.items() if secret.startswith(prefix)), None)


def resembled(slug: str, others: Iterable[str] = ()) -> str | None:
    """The provider that was perhaps meant by a slug that is none: one that is well known, also by
    another name (`claude`), or one of `others`. None if `slug` is well known itself, or resembles
    none."""
    name = without_account(slug)
    if name in _all():
        return None
    if other := _OTHER_NAMES.get(name):
        return other
    # Names that differ in their numbers alone are those of accounts; `openai-eu` is meant so.
    letters, parts = _letters(slug), slug.split("-")
    possible = [
        other
        for other in {*_all(), *others}
        if without_account(other) not in parts and _letters(other) != letters
    ]
    close = difflib.get_close_matches(name, possible, n=1, cutoff=0.8)
    return close[0] if close else None


def _letters(slug: str) -> str:
    return re.sub(r"\d+", "", without_account(slug))


@cache
def _all() -> dict[str, dict[str, str]]:
    providers: dict[str, dict[str, str]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return providers
