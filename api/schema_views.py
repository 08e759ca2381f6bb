"""The schema and the page that shows it, which need neither a token nor the internet."""

import threading
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request

_making = threading.Lock()


class SchemaView(SpectacularJSONAPIView):
    """`/api/v1/schema`: OpenAPI 3.1 as JSON."""

    http_method_names = ("get", "head")

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """The schema, which is made once in each process: it costs a second of computing."""
        with _making:
            schema = _schema(settings.PUBLIC_URL)
        return HttpResponse(schema, content_type=OpenApiJsonRenderer2.media_type)


@cache
def _schema(public_url: str) -> bytes:
    generator: Any = SchemaGenerator
    schema = generator().get_schema(public=True)
    return OpenApiJsonRenderer2().render(schema, renderer_context={})


class DocsView(SpectacularSwaggerSplitView):
    """`/api/v1/docs`: a page to read the schema and to try the operations."""

    http_method_names = ("get", "head")
