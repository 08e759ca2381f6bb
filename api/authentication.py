"""Authentication: `Authorization: Bearer` with an agent token (`bt_…`) or a session token (`bs_…`).

Cookies are ignored, so nothing that a browser sends by itself is trusted.
"""

from typing import Any, cast

from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from common import database_clock
from keys import services as keys
from keys.identity.queries.credentials import Bearer, bearer_of

READ, SPEND, OPERATE, FINANCE = "read", "spend", "operate", "finance"


class BearerTokens(BaseAuthentication):
    """Reads the token; `request.auth` is then the Bearer who sent it."""

    @sensitive_variables()
    def authenticate(self, request: Request) -> tuple[None, Bearer] | None:
        """Return who sent the token. Refuses an invalid one with 401."""
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if not scheme:
            return None
        now = database_clock.now()
        bearer = bearer_of(token.strip(), now=now) if scheme.lower() == "bearer" else None
        if bearer is None:
            raise AuthenticationFailed(
                "The token is unknown, expired or revoked, or its agent is switched off.",
                "invalid_token",
            )
        if bearer.use_is_old and bearer.token_id is not None:
            keys.note_token_use(token_id=bearer.token_id, now=now)
        return None, bearer

    def authenticate_header(self, request: Request) -> str:
        """Return what a 401 says in `WWW-Authenticate`."""
        failed = ', error="invalid_token"' if "HTTP_AUTHORIZATION" in request.META else ""
        return f'Bearer realm="butler"{failed}'


class HasScope(BasePermission):
    """The token has one of the scopes that the view requires for the method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return True, or refuse with 401 without a token and with 403 without the scope."""
        required = view.scopes.get("GET" if request.method == "HEAD" else request.method)
        bearer = cast("Bearer | None", request.auth)
        if bearer is None:
            raise NotAuthenticated("Send `Authorization: Bearer <agent token>`.")
        if bearer.session_id and not view.for_sessions:
            raise PermissionDenied(
                "A session token gives access to the operations on its own session only.",
                "session_token_not_enough",
            )
        if required and not bearer.scopes & set(required):
            raise PermissionDenied(
                f"The token lacks the required scope {required[0]}.", "scope_missing"
            )
        return True
