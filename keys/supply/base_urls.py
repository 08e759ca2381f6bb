"""Check the base URLs of providers and API keys: a route is added to them with every call, and the
secret of the key is sent there."""

import re
from urllib.parse import SplitResult, urlsplit

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

# https:/host, https//host, https:host, htps://host; `https:8080` is a host with a port.
_MISSPELT_SCHEME = re.compile(
    r"(?!https?://)(?:h?t{1,3}ps?|http[sz]{2})(?:://?|//?|:(?!\d))(?=[^/])", re.IGNORECASE
)
# A name, also one of another alphabet or of a container (with _), or an address; see `addresses`.
_HOST = re.compile(
    r"(?:[^\W_][\w-]{0,62}\.)*[^\W_][\w-]{0,62}\.?|[0-9a-f:.]+(?:%\w+)?", re.IGNORECASE
)
_NEVER_IN_ADDRESSES = re.compile(r"[\s\x00-\x1f\x7f<>\"'`\\^{|}]")
# The length of the column.
_CHARACTERS_MAX = 200
_INTERNAL_NAMES = (".local", ".internal", ".lan", ".home.arpa", ".svc", ".localhost")


def check_base_url(url: str) -> str:
    """`url` as it is stored: with https if it has no scheme, if routes can be added to it.

    Refusal: WrongValue, with the right base URL where that is known.
    """
    if not (url := url.strip()):
        return url
    parts = _parts(url)
    path = _ENDPOINT.sub("", parts.path)
    path = _AZURE_DEPLOYMENT.sub("/openai/v1", path)
    right = f"{parts.scheme}://{parts.netloc.lower()}{path}"
    if path != parts.path:
        raise _wrong(
            f"{parts.scheme}://{parts.netloc}{parts.path} is the address of one endpoint. Butler "
            f"adds the endpoint itself. Enter the base URL: {right}"
        )
    if parts.query or parts.fragment:
        raise _wrong(f"Enter the base URL without query and fragment: {right}")
    _check_host(right)
    return right


def _parts(url: str) -> SplitResult:
    """The parts of an address, whose form is right. Refusal: WrongValue."""
    if misspelt := _MISSPELT_SCHEME.match(url):
        raise _wrong(f"{misspelt[0]} is no scheme. Write https:// before the host.")
    if "://" not in url:
        url = f"https://{url.removeprefix('//')}"
    if len(url) > _CHARACTERS_MAX:
        raise _wrong(f"Enter a base URL of at most {_CHARACTERS_MAX} characters.")
    try:
        parts = urlsplit(url)
        is_address = bool(_HOST.fullmatch(parts.hostname or "")) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or _NEVER_IN_ADDRESSES.search(url):
        raise _wrong("This is no address. Write it as https://api.example.com/v1.")
    if parts.scheme not in ("https", "http"):
        raise _wrong(f"Use https://, not {parts.scheme}://, in the base URL.")
    if "@" in parts.netloc:
        raise _wrong(
            "The base URL is shown on pages, so it cannot have a user name or password. Enter what "
            "the API asks for as the secret of the key."
        )
    return parts


def _wrong(detail: str) -> WrongValue:
    return WrongValue(detail, field="base_url")


def _check_host(url: str) -> None:
    """Refusal: WrongValue. What a name means is checked when a connection is made."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        addresses.check(host, settings.PROVIDER_NETWORKS)
    except addresses.NotAllowed:
        raise _wrong(
            f"{host} is not a public address. An operator can allow it in BUTLER_PROVIDER_NETWORKS."
        ) from None
    if parts.scheme == "http" and not (settings.PROVIDER_NETWORKS and _is_internal(host)):
        raise _wrong(
            f"Use https for {host}: the secret of the key is sent with every call. Plain http is "
            "for addresses in BUTLER_PROVIDER_NETWORKS."
        )


def _is_internal(host: str) -> bool:
    """Whether it looks like a host of the operator's own network."""
    try:
        addresses.check(host, ())
    except addresses.NotAllowed:
        return True
    return "." not in host.strip(".") and ":" not in host or host.endswith(_INTERNAL_NAMES)
