"""Addresses below /api/ that do not exist."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView


@extend_schema(exclude=True)
class NotFoundView(APIView):
    """Every other path below /api/: 404 for every method, with or without a token."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse before the token is checked."""
        raise NotFound("No resource exists at this path.")
