"""The schema and the pages that show it, open to everybody and offline."""

from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView


class SchemaView(SpectacularJSONAPIView):
    """`/api/v1/schema`: OpenAPI 3.1 as JSON."""

    renderer_classes = (OpenApiJsonRenderer2,)
    http_method_names = ("get", "head")


class DocsView(SpectacularSwaggerView):
    """`/api/v1/docs`: the schema to read and try."""

    http_method_names = ("get", "head")
