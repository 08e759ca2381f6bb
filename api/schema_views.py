"""The schema and the page that shows it, which need neither a token nor the internet."""

from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView


class SchemaView(SpectacularJSONAPIView):
    """`/api/v1/schema`: OpenAPI 3.1 as JSON."""

    renderer_classes = [OpenApiJsonRenderer2]
    http_method_names = ("get", "head")


class DocsView(SpectacularSwaggerView):
    """`/api/v1/docs`: a page to read the schema and to try the operations."""

    http_method_names = ("get", "head")
