"""Middleware: what browsers may load and do on Butler's pages, and what nobody may keep."""

from typing import Any

from csp.constants import UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest
from django.http.response import HttpResponseBase

# Pages of others need more than the policy in the settings allows.
_ALSO_ALLOWED: dict[str, dict[str, list[str]]] = {
    # Unfold evaluates the expressions of Alpine in its attributes, and sets styles there.
    "/admin/": {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]},
    # Swagger UI has a style element and sets styles.
    "/api/v1/docs": {"style-src": [UNSAFE_INLINE]},
}
# Below the admin's address, and not a page of Unfold.
_SIGN_IN = "/admin/login/"
_PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class SecurityHeaders(CSPMiddleware):
    """Adds Content-Security-Policy and Permissions-Policy to each answer, and `no-store` to those
    of the API."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Add the headers."""
        response["Permissions-Policy"] = _PERMISSIONS
        if request.path_info.startswith("/api/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return super().process_response(request, response)

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        """The policy of the settings, and what pages of this path also need."""
        parts = super().get_policy_parts(request, response, report_only)
        for prefix, directives in _ALSO_ALLOWED.items():
            if request.path_info.startswith(prefix) and request.path_info != _SIGN_IN:
                update: dict[str, Any] = {**(parts.update or {}), **directives}
                parts.update = update
        return parts
