"""Addresses below /api/ that do not exist."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView


@extend_schema(exclude=True)
class NotFoundView(APIView):
    """Every other path below /api/: 404 for every method, with or without a token."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse before the token is checked."""
        raise NotFound(path_not_found_sentence())


def path_not_found_sentence() -> str:
    """What a client of an API with a wrong base URL is told."""
    base = settings.PUBLIC_URL
    return (
        f"No resource exists at this path. The base URL of this API is {base}/api/v1. That of the"
        f" gateway is {base}/v1 for clients of OpenAI's API and {base} for clients of Anthropic's."
    )
