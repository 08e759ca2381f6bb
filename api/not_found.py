"""Addresses that nothing answers."""

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView


@extend_schema(exclude=True)
class NotFoundView(APIView):
    """Every other path below /api/: 404, whoever asks and however."""

    def initial(self, request: Request, *args, **kwargs) -> None:
        """Refuse before anything else is looked at."""
        raise NotFound("No resource exists at this path.")
