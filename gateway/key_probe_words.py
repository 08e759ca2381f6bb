"""What a probe of an API key says to people: why it got no answer, and which models are listed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import urlsplit

import aiohttp

from common.addresses import NotAllowed
from keys.supply.queries.upstreams import Upstream

LISTED_TO_EVERYBODY = "It lists its models to everybody, with or without a key."
SANDBOX = "It is the sandbox, which accepts every key and answers as every model."
_ALIKE_MIN = 0.8


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a probe, its body without the secret of the key."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_json(self) -> bool:
        """Whether it is from an API: a wrong address often leads to a page, with status 200."""
        return self.body.lstrip()[:1] in (b"{", b"[")


def words_of(error: Exception, base_url: str) -> str:
    """Why a provider was not reached, without the error's own text, which may have more."""
    host = urlsplit(base_url).netloc
    if isinstance(error, TimeoutError):
        return f"{host} did not answer in time."
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"There is no host {host}. {check(base_url)}"
    if isinstance(error, aiohttp.ClientSSLError):
        return f"The certificate of {host} is not valid, or it does not speak https."
    if isinstance(getattr(error, "os_error", error), NotAllowed):
        return f"{host} is no public address, and not in BUTLER_PROVIDER_NETWORKS."
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{host} takes no connection. {check(base_url)}"
    return f"The connection to {host} failed ({type(error).__name__})."


def check(base_url: str) -> str:
    """What to look at where an answer is not that of an API."""
    return f"Check the base URL {base_url}."


def model_note(answer: Answer, key: Upstream) -> str:
    """A sentence if the provider lists models, but not that of the key; empty otherwise."""
    listed = _listed(answer.body)
    if not listed or any(_means(name, key.model) for name in listed):
        return ""
    close = get_close_matches(key.model.lower(), sorted(listed), n=1, cutoff=_ALIKE_MIN)
    meant = f" Did you mean {close[0]}?" if close else ""
    return f"Its list of models does not have {key.model}.{meant}"


def _listed(body: bytes) -> set[str]:
    """The names of all models, in lower case; none if the list has more pages, or another form."""
    try:
        document = json.loads(body)
    except ValueError:
        return set()
    models = document.get("data") if isinstance(document, dict) else document
    if not isinstance(models, list) or (isinstance(document, dict) and document.get("has_more")):
        return set()
    names = (model.get("id") for model in models if isinstance(model, dict))
    return {name.removeprefix("models/").lower() for name in names if isinstance(name, str)}


def _means(listed: str, model: str) -> bool:
    """Whether the name of a model means a listed one: itself, or a version of it."""
    wanted = model.lower().removeprefix("models/").removesuffix("-latest")
    return listed == wanted or listed.startswith((f"{wanted}-", f"{wanted}@", f"{wanted}:"))


def join(*sentences: str) -> str:
    """Sentences as one text."""
    return " ".join(each if each.endswith((".", "?")) else f"{each}." for each in sentences if each)
