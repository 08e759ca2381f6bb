"""Whether the providers of active API keys can be reached: a connection, and TLS where they use it.

Nothing is sent, so nothing is billed.
"""

import socket
import ssl
from datetime import datetime
from urllib.parse import urlsplit

from gate.doctor.examination import Finding, failed, ok
from keys.models import ApiKey

_SECONDS = 5


def providers(now: datetime) -> Finding:
    """Each address to which calls go can be reached."""
    active = ApiKey.objects.filter(status=ApiKey.Status.ACTIVE, sandbox=False)
    urls = sorted({api_key.url for api_key in active.select_related("provider")})
    if problems := [f"{url}: {problem}" for url in urls if (problem := _problem(url))]:
        return failed(
            f"Providers that cannot be reached: {'; '.join(problems)}.",
            "Check the network, the proxy and the base URL of the provider.",
        )
    return ok(f"All {len(urls)} addresses of providers can be reached.")


def _problem(url: str) -> str:
    """Why the address cannot be reached; empty if it can."""
    parts = urlsplit(url)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    try:
        with socket.create_connection(
            (host, parts.port or (443 if is_tls else 80)), _SECONDS
        ) as to:
            if is_tls:
                ssl.create_default_context().wrap_socket(to, server_hostname=host).close()
    except OSError as error:
        return str(error)
    return ""
