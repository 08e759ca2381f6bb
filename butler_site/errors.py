"""Every way the API says no: one table from refusals to statuses, one shape for all of them.

The shape is RFC 9457, `application/problem+json`: type, title, status, detail, code, and facts.
"""

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.utils.html import format_html, format_html_join
from django.views import defaults
from django.views.decorators.http import require_safe
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from alerts import refusals as alerts
from api.query_parameters import WrongParameter
from common.refusal import Refusal
from keys import refusals as keys
from orchestration import refusals as orchestration
from prediction import services as prediction
from security.keyring_file import VaultBusy
from security.vault import CannotUnseal

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MEMBERS = ("type", "title", "status", "detail", "code")

# The table. 402 means that a budget or limit lacks room. SDKs must not retry it by themselves, nor
# any other refusal that stays one, so these all say `x-should-retry: false`.
STATUS: dict[type[Refusal], int] = {
    keys.NoKeyCapacity: 402,
    keys.LimitReached: 402,
    keys.AllocationExhausted: 402,
    keys.AgentDisabled: 403,
    keys.AllocationNotFound: 404,
    keys.ChargeNotFound: 404,
    keys.ApiKeyNotFound: 404,
    keys.AgentNotFound: 404,
    orchestration.TaskNotFound: 404,
    orchestration.SubTaskNotFound: 404,
    alerts.AlertNotFound: 404,
    alerts.ChannelNotFound: 404,
    keys.IdempotencyMismatch: 409,
    keys.AllocationClosed: 409,
    keys.ChargeEnded: 409,
    keys.RotationRefused: 409,
    keys.AlreadyExists: 409,
    keys.TooManyTokens: 409,
    orchestration.TaskEnded: 409,
    orchestration.TaskNotEnded: 409,
    orchestration.TaskCancelling: 409,
    orchestration.SubTaskStarted: 409,
    orchestration.NothingToRetry: 409,
    alerts.AlertResolved: 409,
    alerts.ChannelDisabled: 409,
    alerts.ChannelNameTaken: 409,
    prediction.TextTooLarge: 413,
    prediction.UnsupportedTextType: 415,
    keys.ProviderNotFound: 422,
    keys.ModelNotFound: 422,
    keys.CostCentreNotFound: 422,
    keys.WrongValue: 422,
    orchestration.RunnerNotFound: 422,
    orchestration.WrongPlan: 422,
    orchestration.BudgetTooSmall: 422,
    alerts.ChannelUrlUnusable: 422,
    prediction.TextBinary: 422,
    prediction.TextNotUtf8: 422,
    prediction.TextEmpty: 422,
    CannotUnseal: 500,
    VaultBusy: 503,
    keys.Busy: 503,
}
RETRY_AFTER_SECONDS = 1

# What the web framework says no to: code, and when.
FRAMEWORK: dict[str, tuple[int, str]] = {
    "malformed": (400, "The request body or query string cannot be parsed."),
    "not_authenticated": (401, "No token was sent."),
    "invalid_token": (
        401,
        "The token is unknown, expired or revoked, or its agent is switched off.",
    ),
    "scope_missing": (403, "The token lacks the required scope."),
    "session_token_not_enough": (403, "A session token gives access only to its own session."),
    "not_found": (404, "No resource exists at this path."),
    "method_not_allowed": (
        405,
        "The path does not support this method. The header Allow lists those it supports.",
    ),
    "body_too_large": (413, "The request body is too large."),
    "unsupported_media_type": (415, "The media type of the request body is not supported."),
    "invalid_request": (422, "Some values are invalid: `errors` lists each with the reason."),
    "rate_limited": (429, "Too many requests with this token. Retry after `Retry-After` seconds."),
    "internal_error": (500, "Butler failed. Its log has the details."),
    "unavailable": (503, "The database is unavailable or busy. Please retry."),
}


def answer(error: Exception, context: dict[str, Any]) -> Response:
    """The answer to whatever a view of the API raised (`REST_FRAMEWORK["EXCEPTION_HANDLER"]`)."""
    set_rollback()
    if isinstance(error, Refusal):
        return _refused(error)
    if isinstance(error, exceptions.APIException):
        return _framework(error)
    if isinstance(error, Http404):
        return _response("not_found")
    if isinstance(error, RequestDataTooBig):
        return _response("body_too_large")
    if isinstance(error, SuspiciousOperation | UnreadablePostError):
        return _response("malformed")
    if isinstance(error, PermissionDenied):
        return _response("scope_missing")
    return _bug(error, context)


def _refused(refusal: Refusal) -> Response:
    # One that nobody gave a status is a bug; a test looks for it.
    status = STATUS.get(type(refusal), 500)
    if status == 500:
        logger.error("refused: %s", refusal.code, exc_info=refusal)
        return _response("internal_error")
    facts = {f"fact_{n}" if n in MEMBERS else n: fact for n, fact in refusal.facts().items()}
    body = problem(refusal.code, status=status, detail=refusal.detail) | facts
    return _answered(body)


def _framework(error: exceptions.APIException) -> Response:
    if isinstance(error, exceptions.ValidationError):
        body = problem("invalid_request") | {"errors": _faults(error)}
        return _answered(body)
    # A list or an object only for validation errors.
    codes = str(error.get_codes())
    code = _RENAMED.get(codes, codes)
    response = _answered(problem(code, status=error.status_code, detail=str(error.detail)))
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = str(wait)
    return response


_RENAMED = {
    "parse_error": "malformed",
    "throttled": "rate_limited",
    "authentication_failed": "invalid_token",
    "permission_denied": "scope_missing",
}


def _bug(error: Exception, context: dict[str, Any]) -> Response:
    request = context["request"]
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    if isinstance(error, OperationalError):
        return _response("unavailable")
    # Django's test client raises it again, so that no test overlooks it.
    got_request_exception.send(sender=type(context["view"]), request=request)
    return _response("internal_error")


def problem(code: str, *, status: int | None = None, detail: str = "") -> dict[str, Any]:
    """The members that every problem has."""
    usual, says = FRAMEWORK.get(code, (status, ""))
    return {
        "type": f"{settings.PUBLIC_URL}/api/v1/errors#{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status or usual,
        "detail": detail or says,
        "code": code,
    }


def _response(code: str) -> Response:
    return _answered(problem(code))


def _answered(body: dict[str, Any]) -> Response:
    response = Response(body, body["status"], content_type=MEDIA_TYPE)
    if body["status"] == 503:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    elif body["status"] not in (429, 500):
        response["x-should-retry"] = "false"
    return response


# Whoever sends ten thousand of a kind made one mistake.
_FAULTS_MAX = 100


def _faults(error: exceptions.ValidationError) -> list[dict[str, str]]:
    """Where and what, one by one. A pointer is a JSON pointer into the body."""
    found = list(islice(_walk(error.detail, ()), _FAULTS_MAX))
    if isinstance(error, WrongParameter):
        return [{"parameter": ".".join(path), "detail": detail} for path, detail in found]
    return [{"pointer": _pointer(path), "detail": detail} for path, detail in found]


def _walk(detail: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            step = () if name == "non_field_errors" else (str(name),)
            yield from _walk(inner, (*path, *step))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _walk(inner, path)
    else:
        yield path, str(detail)


def _pointer(path: tuple[str, ...]) -> str:
    return "#" + "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in path)


def table() -> list[tuple[str, int, str]]:
    """Every code with its status and what it means, for people."""
    refusals = [
        (refusal.code, status, " ".join((refusal.__doc__ or "").split()))
        for refusal, status in STATUS.items()
        if status != 500
    ]
    framework = [(code, status, says) for code, (status, says) in FRAMEWORK.items()]
    return sorted(refusals + framework, key=lambda row: (row[1], row[0]))


@require_safe
def table_page(request: HttpRequest) -> HttpResponse:
    """Where the `type` of a problem leads: what each code means."""
    rows = format_html_join("", "<dt id={}>{} {}</dt><dd>{}</dd>", _rows())
    return HttpResponse(
        format_html(
            "<!doctype html><html lang=en><title>Errors of the API</title>"
            "<h1>Errors of the API</h1><dl>{}</dl></html>",
            rows,
        )
    )


def _rows() -> list[tuple[str, int, str, str]]:
    return [(code, status, code, says) for code, status, says in table()]


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What never reached a view (`handler400`): a wrong Host header, for one."""
    return _outside(request, "malformed") or defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler404`."""
    return _outside(request, "not_found") or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """A bug outside the views of the API (`handler500`)."""
    return _outside(request, "internal_error") or defaults.server_error(request)


def _outside(request: HttpRequest, code: str) -> HttpResponse | None:
    if not request.path.startswith("/api/"):
        return None
    body = problem(code)
    return JsonResponse(body, status=body["status"], content_type=MEDIA_TYPE)
