"""Check the base URLs of providers and API keys: a route is added to them with every call."""

import re
from urllib.parse import urlsplit

from keys.refusals import WrongValue

# The routes of the APIs that Butler calls, at the end of an address.
_ENDPOINT = re.compile(
    r"/+(chat/completions|completions|messages(/count_tokens|/batches)?|embeddings"
    r"|responses(/input_tokens)?|models)/*$",
    re.IGNORECASE,
)
# Azure has the model in the path of its older API, and a base URL for all models in the newer.
_AZURE_DEPLOYMENT = re.compile(r"/openai/deployments/[^/]+$", re.IGNORECASE)


def check_base_url(url: str) -> str:
    """`url`, if routes can be added to it. Refusal: WrongValue, with the right base URL."""
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
    return url
