"""Error responses of the API: the HTTP status of each refusal, and one shape for all of them.

The shape is RFC 9457, `application/problem+json`: type, title, status, detail, code, and facts.
"""

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.exceptions import (
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.signals import got_request_exception
from django.db import OperationalError
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    JsonResponse,
    UnreadablePostError,
)
from django.template.loader import render_to_string
from django.urls import Resolver404
from django.utils.html import format_html, format_html_join
from django.views import defaults
from django.views.decorators.http import require_safe
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from alerts import refusals as alerts
from api.not_found import path_not_found_sentence
from api.query_parameters import WrongParameter
from common.refusal import Refusal
from gate import refusals as gate
from keys import refusals as keys
from orchestration import refusals as orchestration
from prediction import services as prediction
from reports import refusals as reports
from security import refusals as security
from security.keyring_file import VaultBusy
from security.vault import CannotUnseal
from treasury import refusals as treasury

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MEMBERS = ("type", "title", "status", "detail", "code")

# The status of each refusal. 402 means that a budget or a limit lacks room. A retry cannot change
# most refusals, so their responses say `x-should-retry: false` to keep SDKs from retrying.
STATUS: dict[type[Refusal], int] = {
    keys.NoKeyCapacity: 402,
    keys.LimitReached: 402,
    keys.AllocationExhausted: 402,
    keys.AgentDisabled: 403,
    keys.CostCentreClosed: 403,
    security.SecondPersonNeeded: 403,
    security.AnotherPersonNeeded: 403,
    security.NotADecider: 403,
    security.NotTheAsker: 403,
    security.DelegationNotAllowed: 403,
    keys.Frozen: 403,
    keys.NotAllowed: 403,
    keys.OwnFreeze: 403,
    keys.OwnPlace: 403,
    orchestration.OwnApproval: 403,
    orchestration.NotADeputy: 403,
    gate.OwnAccess: 403,
    gate.SuperuserAccess: 403,
    gate.RevealNotOpen: 403,
    reports.ExportNotAllowed: 403,
    reports.SecondSignerNeeded: 403,
    reports.SignerUnknown: 403,
    keys.ReportTooLarge: 403,
    keys.ReportTooLate: 403,
    keys.UsageIsMetered: 403,
    keys.AllocationNotFound: 404,
    keys.ChargeNotFound: 404,
    keys.ApiKeyNotFound: 404,
    keys.AgentNotFound: 404,
    keys.FreezeNotFound: 404,
    gate.FindingNotFound: 404,
    keys.WorkIsOpen: 409,
    keys.KeyWasUsed: 409,
    gate.FindingDecided: 409,
    orchestration.TaskNotFound: 404,
    orchestration.SubTaskNotFound: 404,
    alerts.AlertNotFound: 404,
    alerts.ChannelNotFound: 404,
    alerts.NotificationNotFound: 404,
    alerts.AlertRouteNotFound: 404,
    alerts.AlertRuleNotFound: 404,
    security.ApprovalNotFound: 404,
    security.DelegationNotFound: 404,
    keys.IdempotencyMismatch: 409,
    keys.AllocationClosed: 409,
    keys.ChargeEnded: 409,
    keys.ChargeNotSettled: 409,
    keys.AdjustmentRefused: 409,
    keys.RotationRefused: 409,
    keys.AlreadyExists: 409,
    keys.TooManyTokens: 409,
    orchestration.TaskEnded: 409,
    orchestration.TaskNotEnded: 409,
    orchestration.TaskCancelling: 409,
    orchestration.SubTaskStarted: 409,
    orchestration.NoGate: 409,
    orchestration.NothingToRetry: 409,
    orchestration.TaskTextsDeleted: 409,
    orchestration.TooManyOpenTasks: 409,
    orchestration.TooManyOpenSubTasks: 409,
    security.ApprovalDecided: 409,
    security.ApprovalOutdated: 409,
    security.RequestMismatch: 409,
    security.TooFewDeciders: 409,
    security.DelegationChain: 409,
    security.DelegationOver: 409,
    security.DelegationOverlaps: 409,
    gate.TooManyBudgetRequests: 409,
    reports.TooManyExports: 409,
    reports.ViewNameTaken: 409,
    reports.ChecklistUnmet: 409,
    reports.MonthNotLocked: 409,
    reports.MonthNotReopenable: 409,
    alerts.AlertRaisedAgain: 409,
    alerts.AlertResolved: 409,
    alerts.AlertSnoozed: 409,
    alerts.ChannelDisabled: 409,
    alerts.ChannelNameTaken: 409,
    alerts.ChannelNotSigned: 409,
    alerts.NotificationUnfinished: 409,
    alerts.RouteNameTaken: 409,
    alerts.AlertRuleNameTaken: 409,
    gate.PersonExists: 409,
    gate.ReviewOpen: 409,
    gate.ReviewLineDecided: 409,
    gate.ReviewLineNotFound: 404,
    gate.ReviewPast: 422,
    prediction.VersionNotReady: 409,
    prediction.SavingClosed: 409,
    orchestration.ExperimentNotPossible: 409,
    prediction.TextTooLarge: 413,
    prediction.UnsupportedTextType: 415,
    keys.ProviderNotFound: 422,
    keys.ModelNotFound: 422,
    keys.CostCentreNotFound: 422,
    keys.LimitNotFound: 422,
    keys.WrongValue: 422,
    security.DelegationPast: 422,
    security.DelegationTooLong: 422,
    security.ReasonMissing: 422,
    security.DeputyInactive: 422,
    security.DeputyIsSelf: 422,
    reports.SharesInvalid: 422,
    orchestration.RunnerNotFound: 422,
    orchestration.WrongPlan: 422,
    orchestration.BudgetTooSmall: 422,
    orchestration.BudgetTooLarge: 422,
    alerts.ChannelUrlUnusable: 422,
    alerts.RouteInvalid: 422,
    alerts.NoticesInvalid: 422,
    alerts.AlertRuleInvalid: 422,
    alerts.SnoozeOutOfRange: 422,
    reports.TooManyRows: 422,
    prediction.TextBinary: 422,
    prediction.TextNotUtf8: 422,
    prediction.TextEmpty: 422,
    CannotUnseal: 500,
    treasury.AccountNotFound: 404,
    treasury.AccountDiffers: 409,
    treasury.AccountOverdrawn: 409,
    treasury.DifferenceSettled: 409,
    treasury.ExceedsPendingTransfer: 409,
    treasury.NothingToReconcile: 409,
    treasury.PaymentLimitReached: 402,
    treasury.PaymentNetworkRefused: 422,
    treasury.PaymentNotAllowed: 403,
    treasury.PaymentNotFound: 404,
    treasury.PeriodClosed: 409,
    treasury.PolicyPaused: 409,
    treasury.PurchaseBoundReached: 409,
    treasury.PurchaseEnded: 409,
    treasury.PurchaseNotFound: 404,
    treasury.PurchaseOpen: 409,
    treasury.RailNotFound: 404,
    treasury.RailOff: 409,
    treasury.RailStatementKnown: 409,
    treasury.RailStatementOverlaps: 409,
    treasury.RailStatementUnreadable: 422,
    treasury.ReceiptNotFound: 404,
    treasury.ReceiptUnreadable: 422,
    treasury.PayoutEnded: 409,
    treasury.PayoutNotFound: 404,
    treasury.RefundEnded: 409,
    treasury.RefundExceeds: 409,
    treasury.RefundNotFound: 404,
    treasury.ReportUnreadable: 422,
    treasury.TransferDiffers: 409,
    treasury.TransferEnded: 409,
    treasury.WrongAllowance: 422,
    treasury.WrongBalanceAccess: 422,
    treasury.WrongDifference: 422,
    treasury.WrongExchange: 422,
    treasury.WrongExchangeRate: 422,
    treasury.WrongExpiringCredit: 422,
    treasury.WrongPayee: 422,
    treasury.WrongPaymentMessage: 422,
    treasury.WrongPayout: 422,
    treasury.WrongPolicy: 422,
    treasury.WrongRefund: 422,
    treasury.WebhookNotFound: 404,
    treasury.WebhookRefused: 400,
    treasury.WrongPurchase: 422,
    treasury.WrongRail: 422,
    treasury.WrongReportAccess: 422,
    treasury.WrongSpendCap: 422,
    treasury.WrongTransfer: 422,
    # Only commands say these.
    gate.BackupFailed: 500,
    gate.BackupUnreadable: 500,
    gate.NotEmpty: 500,
    VaultBusy: 503,
    keys.Busy: 503,
}
RETRY_AFTER_SECONDS = 1
# Without the name that was sent, nor those that are served.
_WRONG_HOST = (
    "Butler does not serve the host name of this request. Use the public address of Butler. An "
    "operator adds further names to the setting BUTLER_ALLOWED_HOSTS; a proxy must pass on the "
    "header Host."
)

# Errors of the web framework, by code: the status, and when it occurs.
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
    "body_too_slow": (408, "The request body did not arrive in time."),
    "body_too_large": (413, "The request body is too large."),
    "unsupported_media_type": (415, "The media type of the request body is not supported."),
    "invalid_request": (422, "Some values are invalid: `errors` lists each with the reason."),
    "rate_limited": (429, "Too many requests with this token. Retry after `Retry-After` seconds."),
    "internal_error": (500, "Butler failed. Its log has the details."),
    "unavailable": (503, "The database is unavailable or busy. Please retry."),
}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """The response to any exception of an API view (`REST_FRAMEWORK["EXCEPTION_HANDLER"]`)."""
    set_rollback()
    if isinstance(error, Refusal):
        return _refusal_response(error)
    if isinstance(error, exceptions.APIException):
        return _framework_response(error)
    if isinstance(error, Http404):
        return _code_response("not_found")
    if isinstance(error, RequestDataTooBig):
        return _code_response("body_too_large")
    if isinstance(error, SuspiciousOperation | UnreadablePostError):
        return _problem_response(problem("malformed", detail=_about_host(error)))
    if isinstance(error, PermissionDenied):
        return _code_response("scope_missing")
    return _bug_response(error, context)


def _refusal_response(refusal: Refusal) -> Response:
    # A refusal without a status in the table is a bug; a test looks for such refusals.
    status = STATUS.get(type(refusal), 500)
    if status == 500:
        logger.error("refused: %s", refusal.code, exc_info=refusal)
        return _code_response("internal_error")
    facts = {f"fact_{n}" if n in MEMBERS else n: fact for n, fact in refusal.facts().items()}
    return _problem_response(problem(refusal.code, status=status, detail=refusal.detail) | facts)


def _framework_response(error: exceptions.APIException) -> Response:
    if isinstance(error, exceptions.ValidationError):
        return _problem_response(problem("invalid_request") | {"errors": _invalid_values(error)})
    # `get_codes` returns a list or an object only for validation errors.
    framework_code = str(error.get_codes())
    code = _CODES.get(framework_code, framework_code)
    body = problem(code, status=error.status_code, detail=str(error.detail))
    response = _problem_response(body)
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = str(wait)
    return response


# Butler's code for each code of Django REST framework that has another name here.
_CODES = {
    "parse_error": "malformed",
    "throttled": "rate_limited",
    "authentication_failed": "invalid_token",
    "permission_denied": "scope_missing",
}


def _bug_response(error: Exception, context: dict[str, Any]) -> Response:
    request = context["request"]
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    if isinstance(error, OperationalError):
        return _code_response("unavailable")
    # The signal makes Django's test client raise the error again, so no test overlooks it.
    got_request_exception.send(sender=type(context["view"]), request=request)
    return _code_response("internal_error")


def problem(code: str, *, status: int | None = None, detail: str = "") -> dict[str, Any]:
    """The members that every problem has. Codes of `FRAMEWORK` have a status and detail there."""
    default_status, default_detail = FRAMEWORK.get(code, (status, ""))
    return {
        "type": f"{settings.PUBLIC_URL}/api/v1/errors#{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status or default_status,
        "detail": detail or default_detail,
        "code": code,
    }


def _code_response(code: str) -> Response:
    return _problem_response(problem(code))


def _problem_response(body: dict[str, Any]) -> Response:
    response = Response(body, body["status"], content_type=MEDIA_TYPE)
    if body["status"] == 503:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    elif body["status"] not in (429, 500):
        response["x-should-retry"] = "false"
    return response


# A request with ten thousand invalid values usually has one mistake, repeated.
_INVALID_VALUES_MAX = 100


def _invalid_values(error: exceptions.ValidationError) -> list[dict[str, str]]:
    """Each invalid value: its JSON pointer into the body, or its parameter, and the reason."""
    details = list(islice(_flatten(error.detail, ()), _INVALID_VALUES_MAX))
    if isinstance(error, WrongParameter):
        return [{"parameter": ".".join(path), "detail": detail} for path, detail in details]
    return [{"pointer": _pointer(path), "detail": detail} for path, detail in details]


def _flatten(detail: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The path and the text of each detail, out of nested lists and objects."""
    if isinstance(detail, dict):
        for name, nested in detail.items():
            step = () if name == "non_field_errors" else (str(name),)
            yield from _flatten(nested, (*path, *step))
    elif isinstance(detail, list):
        for nested in detail:
            yield from _flatten(nested, path)
    else:
        yield path, str(detail)


def _pointer(path: tuple[str, ...]) -> str:
    return "#" + "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in path)


def table() -> list[tuple[str, int, str]]:
    """Every code with its status and its meaning, sorted by status."""
    refusals = [
        (refusal.code, status, " ".join((refusal.__doc__ or "").split()))
        for refusal, status in STATUS.items()
        if status != 500
    ]
    framework = [(code, status, meaning) for code, (status, meaning) in FRAMEWORK.items()]
    return sorted(refusals + framework, key=lambda row: (row[1], row[0]))


@require_safe
def table_page(request: HttpRequest) -> HttpResponse:
    """The page that the `type` of a problem links to: the meaning of each code."""
    rows = format_html_join("", "<dt id={}>{} {}</dt><dd>{}</dd>", _rows())
    return HttpResponse(
        format_html(
            "<!doctype html><html lang=en><title>Errors of the API</title>"
            "<h1>Errors of the API</h1><dl>{}</dl></html>",
            rows,
        )
    )


def _rows() -> list[tuple[str, int, str, str]]:
    return [(code, status, code, meaning) for code, status, meaning in table()]


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A request that reached no view, for example one with a wrong Host header (`handler400`)."""
    says = _about_host(exception)
    if answer := _api_problem(request, "malformed", detail=says):
        return answer
    return HttpResponseBadRequest(render_to_string("400.html", {"sentence": says}))


def _about_host(error: Exception) -> str:
    """What to do about a host name that Butler does not serve; empty for other errors."""
    return _WRONG_HOST if isinstance(error, DisallowedHost) else ""


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A request to a path without a view (`handler404`).

    Programs get a problem that names the base URLs; pages that do not exist stay pages.
    """
    if not (request.path_info.startswith("/api/") or _is_program_lost(request, exception)):
        return defaults.page_not_found(request, exception)
    body = problem("not_found", detail=path_not_found_sentence())
    return JsonResponse(body, status=body["status"], content_type=MEDIA_TYPE)


def _is_program_lost(request: HttpRequest, exception: Exception) -> bool:
    """Whether a client of an API sent the request, to a path that no page has."""
    headers = request.headers
    return isinstance(exception, Resolver404) and (
        any(name in headers for name in ("Authorization", "X-Api-Key", "Api-Key"))
        or "json" in headers.get("Accept", "")
        or "json" in headers.get("Content-Type", "")
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """A bug outside the views of the API (`handler500`)."""
    return _api_problem(request, "internal_error") or defaults.server_error(request)


def _api_problem(request: HttpRequest, code: str, *, detail: str = "") -> HttpResponse | None:
    """The problem, if the request is to the API; the pages have error pages of their own."""
    if not request.path_info.startswith("/api/"):
        return None
    body = problem(code, detail=detail)
    return JsonResponse(body, status=body["status"], content_type=MEDIA_TYPE)
