"""Check the base URLs of providers and API keys: a route is added to them with every call, and the
secret of the key is sent there."""

import re
from urllib.parse import urlsplit

from django.conf import settings

from common import addresses
from keys.refusals import WrongValue

# The routes of the APIs that Butler calls, at the end of an address.
_ENDPOINT = re.compile(
    r"/+(chat/completions|completions|messages(/count_tokens|/batches)?|embeddings"
    r"|responses(/input_tokens)?|models)/*$",
    re.IGNORECASE,
)
# Azure has the model in the path of its older API, and a base URL for all models in the newer.
_AZURE_DEPLOYMENT = re.compile(r"/openai/deployments/[^/]+$", re.IGNORECASE)

_INTERNAL_NAMES = (".local", ".internal", ".lan", ".home.arpa", ".svc", ".localhost")


def check_base_url(url: str) -> str:
    """`url`, with https if it has no scheme, if routes can be added to it.

    Refusal: WrongValue, with the right base URL.
    """
    if not (url := url.strip()):
        return url
    if "://" not in url:
        url = f"https://{url}"
    parts = urlsplit(url)
    path = _ENDPOINT.sub("", parts.path)
    path = _AZURE_DEPLOYMENT.sub("/openai/v1", path)
    right = f"{parts.scheme}://{parts.netloc}{path}"
    if path != parts.path:
        raise WrongValue(
            f"{url} is the address of one endpoint. Butler adds the endpoint itself. Enter the base"
            f" URL: {right}",
            field="base_url",
        )
    if parts.query or parts.fragment:
        raise WrongValue(
            f"Enter the base URL without query and fragment: {right}", field="base_url"
        )
    _check_host(url)
    return url


def _check_host(url: str) -> None:
    """Refusal: WrongValue. What a name means is checked when a connection is made."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        addresses.check(host, settings.PROVIDER_NETWORKS)
    except addresses.NotAllowed:
        raise WrongValue(
            f"{host} is not a public address. An operator can allow it in "
            "BUTLER_PROVIDER_NETWORKS.",
            field="base_url",
        ) from None
    if parts.scheme == "http" and not (settings.PROVIDER_NETWORKS and _is_internal(host)):
        raise WrongValue(
            f"Use https for {host}: the secret of the key is sent with every call. Plain http is "
            "for addresses in BUTLER_PROVIDER_NETWORKS.",
            field="base_url",
        )


def _is_internal(host: str) -> bool:
    """Whether it looks like a host of the operator's own network."""
    try:
        addresses.check(host, ())
    except addresses.NotAllowed:
        return True
    return "." not in host.strip(".") and ":" not in host or host.endswith(_INTERNAL_NAMES)
