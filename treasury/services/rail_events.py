"""Read events of vendors: an event leads to its payment, which is then read from the vendor."""

from contextlib import suppress
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from treasury.models import (
    Collection,
    EventStatus,
    Payout,
    Purchase,
    RailAccount,
    RailEvent,
    Refund,
)
from treasury.rails.webhooks import Event, WebhookRejected
from treasury.services.advance_purchase import advance_purchase
from treasury.services.ask_payout import advance_payout
from treasury.services.ask_refund import advance_refund
from treasury.services.collect import advance_collection
from treasury.services.receive_webhook import reader_of

_ID_MAX = 255


def read_event(event_id: int, *, now: datetime) -> RailEvent:
    """Read an event and ask the vendor about its payment; an event that was read stays as it is.

    Many may call it at once, in any order: what an event says is not believed, and the vendor's
    answer is applied as if somebody had asked. Refusals: as `advance_purchase`.
    """
    event = _identify(event_id)
    if event.status != EventStatus.RECEIVED:
        return event
    if event.purchase_id is not None:
        advance_purchase(event.purchase_id, now=now)
    if event.collection_id is not None:
        advance_collection(event.collection_id, now=now)
    for refund_id in _sent_refunds(event):
        advance_refund(refund_id, now=now)
    payouts = _payouts(event)
    for payout_id in payouts:
        advance_payout(payout_id, now=now)
    is_ours = event.purchase_id or event.collection_id or payouts
    status = EventStatus.HANDLED if is_ours else EventStatus.UNRELATED
    RailEvent.objects.filter(pk=event_id, status=EventStatus.RECEIVED).update(
        status=status, read_at=now
    )
    event.refresh_from_db()
    return event


def _sent_refunds(event: RailEvent) -> list[int]:
    """Refunds of the payment about which the vendor may know something."""
    if event.collection_id is None:
        return []
    sent = Refund.objects.filter(collection_id=event.collection_id).sent()
    return list(sent.values_list("pk", flat=True))


def _payouts(event: RailEvent) -> list[int]:
    """The payouts of the rail that the event is about."""
    try:
        named = _named(_read(event))
    except (ValueError, WebhookRejected):
        return []
    of_rail = Payout.objects.filter(named, rail_account_id=event.rail_account_id)
    return list(of_rail.values_list("pk", flat=True))


@transaction.atomic(durable=True)
def _identify(event_id: int) -> RailEvent:
    """The event with its id, kind and payment, from the stored bytes."""
    RailEvent.objects.filter(pk=event_id).update(tries=F("tries") + 1)
    event = RailEvent.objects.select_related("rail_account").get(pk=event_id)
    if event.status != EventStatus.RECEIVED or event.event_id:
        return event
    try:
        told = _read(event)
    except WebhookRejected:
        return event  # its secret is gone: wait
    except ValueError:
        event.status = EventStatus.UNREADABLE
        event.save(update_fields=["status"])
        return event
    # Two rows may have the same event in other bytes: one of them looks first.
    RailAccount.objects.select_for_update(no_key=True).get(pk=event.rail_account_id)
    event.kind = told.kind[:100]
    if RailEvent.objects.filter(rail_account=event.rail_account, event_id=told.event_id).exists():
        event.status = EventStatus.REPEATED
    else:
        event.event_id, event.purchase = told.event_id, _purchase(event, told)
        event.collection = _collection(event, told)
    event.save(update_fields=["status", "kind", "event_id", "purchase", "collection"])
    return event


def _read(event: RailEvent) -> Event:
    told = reader_of(event.rail_account).read(bytes(event.body))
    if not told.event_id or len(told.event_id) > _ID_MAX:
        raise ValueError("The event has no id.")
    return told


def _purchase(event: RailEvent, told: Event) -> Purchase | None:
    """The purchase that the event is about, if it is one of this rail."""
    return Purchase.objects.filter(_named(told), payee__rail=event.rail_account_id).first()


def _collection(event: RailEvent, told: Event) -> Collection | None:
    """The collection that the event is about, if it is one of this rail."""
    named = _named(told) | Q(settled_id__in=told.vendor_ids)
    return Collection.objects.filter(named, rail_account=event.rail_account).first()


def _named(told: Event) -> Q:
    named = Q(vendor_id__in=told.vendor_ids)
    with suppress(ValueError):
        named |= Q(key=UUID(told.purchase))
    return named
