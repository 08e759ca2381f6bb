"""The addresses that vendors of rails call. They are no part of the API for agents."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from common import database_clock
from common.refusal import Refusal
from treasury import services as treasury
from treasury.refusals import WebhookNotFound


@csrf_exempt
@never_cache
@require_http_methods(["POST", "HEAD"])
def rail_webhook(request: HttpRequest, key: str) -> HttpResponse:
    """POST /webhooks/<key>: what a vendor tells, signed by it. HEAD: whether the address is right.

    200 means that it is stored. 400: not the vendor's, or not of now. 404: no rail has this key.
    """
    try:
        if request.method == "HEAD":
            treasury.find_receiver(key)
        else:
            _receive(request, key)
    except Refusal as refusal:
        status = 404 if isinstance(refusal, WebhookNotFound) else 400
        return JsonResponse({"code": refusal.code, "detail": refusal.detail}, status=status)
    return HttpResponse(status=200)


def _receive(request: HttpRequest, key: str) -> None:
    treasury.receive_webhook(
        key,
        # One more than is allowed, which is then rejected. `body` would have a limit of its own.
        body=request.read(treasury.WEBHOOK_BYTES_MAX + 1),
        headers=request.headers,
        now=database_clock.now(),
    )
