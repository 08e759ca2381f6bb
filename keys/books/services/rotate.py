"""Move what is left of an allocation to another API key."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from operator import attrgetter

from django.conf import settings
from django.db.models import Sum

from alerts import services as alerts
from common.statements import fetch
from keys.audit_actions import Action
from keys.books import selection, sql, transactions
from keys.books.queries.candidates import candidates, served_prices
from keys.books.queries.freezes import is_frozen_key
from keys.books.selection import Candidate
from keys.books.sql.locks import LockedRow
from keys.books.sql.rotate import Share
from keys.identity.queries.allow_lists import allow_lists_of
from keys.limits.services.windows import open_windows, scopes_to_carry_over
from keys.limits.sql import GRANTED
from keys.models import Allocation, ApiKey, Charge, Price, Rotation
from keys.refusals import (
    AllocationClosed,
    ApiKeyNotFound,
    IdempotencyMismatch,
    RotationRefused,
)
from keys.supply import pricing
from keys.supply.queries.prices import price_of
from security import audit
from security.actor import Actor, ActorKind

_ATTEMPTS = 20


def rotate(
    *,
    allocation: Allocation,
    key: str | None = None,
    avoid: Collection[str] = (),
    reason: str,
    actor: Actor,
    idempotency_key: str | None = None,
    now: datetime,
) -> tuple[Rotation, bool]:
    """Move what is left of `allocation` to `key`, or to the best other key that is not to `avoid`.

    An agent can name no `key` that is dearer than what was lent.

    Returns the rotation and whether it was created: the same idempotency key is the same rotation,
    and when others rotated `allocation` since the caller read it, theirs is the rotation.
    Refusals: RotationRefused (nothing changed), AllocationClosed, ApiKeyNotFound,
    IdempotencyMismatch.
    """
    full = set(avoid)
    for _ in range(_ATTEMPTS):
        target = key or _best_other(allocation, without=full, now=now)
        outcome = _try_to_rotate(
            seen=allocation,
            target=target,
            asked_key=key,
            reason=reason,
            actor=actor,
            idempotency_key=idempotency_key,
            now=now,
        )
        if outcome:
            return outcome
        if target is None or key:
            break
        # The payers may also lack room for its cost: another key may be cheaper.
        full.add(target)
    raise RotationRefused(
        f"The API key {target} has no room for the rest of this allocation.",
        session_id=allocation.session_id,
        key_id=target,
    )


def _best_other(allocation: Allocation, *, without: set[str], now: datetime) -> str | None:
    """The slug of the best other key for the rest of the allocation; None without one."""
    chosen = _choose_other(allocation, without, now)
    # What limits carry over is known when their next windows are opened.
    if chosen is None and open_windows(scopes=scopes_to_carry_over(now=now), now=now):
        chosen = _choose_other(allocation, without, now)
    return chosen and chosen.slug


def _choose_other(allocation: Allocation, without: set[str], now: datetime) -> Candidate | None:
    models = list(served_prices(allocation.api_key_id, allocation.named_models))
    others = [
        candidate
        for candidate in candidates(
            models=models,
            payers_usd=None,
            allowed=allow_lists_of(allocation.payers),
            now=now,
        )
        if candidate.slug != allocation.api_key_id and candidate.slug not in without
    ]
    return selection.choose(
        others,
        tokens=max(allocation.allocated - allocation.used, 1),
        provider=allocation.api_key.provider_id,
        wire_format=allocation.wire_format,
        free_min=settings.CANDIDATE_FREE_TOKENS_MIN,
    ).chosen


@transactions.in_books
def _try_to_rotate(
    *,
    seen: Allocation,
    target: str | None,
    asked_key: str | None,
    reason: str,
    actor: Actor,
    idempotency_key: str | None,
    now: datetime,
) -> tuple[Rotation, bool] | None:
    """The rotation and whether it was created; None when the target has no room."""
    scopes = [f"key:{target}"] if target else []
    locked = transactions.lock(allocations=[seen.pk], scopes=scopes, now=now)
    allocation = Allocation.objects.select_related("api_key").get(pk=seen.pk)
    if earlier := _earlier_rotation(allocation, seen, asked_key, idempotency_key):
        return earlier, False
    if allocation.status != Allocation.Status.ACTIVE or allocation.expires_at <= now:
        raise AllocationClosed(status=allocation.status, **allocation.budget)
    to_key = _check_target(allocation, target, now)
    price = _price_on(allocation, to_key, now)
    if asked_key and actor.kind == ActorKind.AGENT:
        _refuse_dearer(allocation, to_key, price)
    moves = _moves(allocation, to_key, price)
    if not _has_room(locked, moves):
        return None
    transactions.move(moves)
    rotation = Rotation(
        allocation=allocation,
        from_key_id=allocation.api_key_id,
        to_key=to_key,
        moved_tokens=allocation.allocated - allocation.used,
        reason=reason[:300],
        rotated_by=str(actor),
        idempotency_key=idempotency_key,
        asked_key=asked_key or "",
        created_at=locked.at,
    )
    return _write(rotation, price, actor=actor), True


def _earlier_rotation(
    allocation: Allocation, seen: Allocation, asked_key: str | None, idempotency_key: str | None
) -> Rotation | None:
    if idempotency_key and (
        same := allocation.rotations.filter(idempotency_key=idempotency_key).first()
    ):
        if same.asked_key != (asked_key or ""):
            raise IdempotencyMismatch(
                session_id=allocation.session_id,
            )
        return same
    if allocation.api_key_id != seen.api_key_id and asked_key in (None, allocation.api_key_id):
        return allocation.rotations.last()
    return None


def _check_target(allocation: Allocation, target: str | None, now: datetime) -> ApiKey:
    to_key = ApiKey.objects.select_related("price", "provider").filter(pk=target).first()
    if target is None:
        raise RotationRefused(
            "No other API key can take the rest of this allocation.",
            session_id=allocation.session_id,
            left=allocation.allocated - allocation.used,
        )
    if to_key is None:
        raise ApiKeyNotFound(key_id=target)
    if to_key.pk == allocation.api_key_id:
        raise RotationRefused(
            f"The allocation is already on the API key {target}.", session_id=allocation.session_id
        )
    if allocation.wire_format and not to_key.speaks(allocation.wire_format):
        raise RotationRefused(
            f"The provider of the API key {target} does not speak the session's wire format, "
            f"{allocation.wire_format}.",
            session_id=allocation.session_id,
            key_id=target,
        )
    status = "frozen" if is_frozen_key(to_key) else to_key.status
    if status == "frozen" or not to_key.lendable(now=now):
        raise RotationRefused(
            f"The API key {target} is {status}.",
            session_id=allocation.session_id,
            key_id=target,
        )
    return to_key


def _price_on(allocation: Allocation, to_key: ApiKey, now: datetime) -> Price:
    """What the session's tokens cost there at most: the price of the dearest of its models.

    The target must serve what the present key serves of them, and the payers must allow it.
    Refusal: RotationRefused.
    """
    now_served = served_prices(allocation.api_key_id, allocation.named_models)
    then_served = served_prices(to_key.pk, allocation.named_models)
    if missing := sorted(now_served.keys() - then_served.keys()):
        raise RotationRefused(
            f"The API key {to_key.pk} does not serve {missing[0]}.",
            session_id=allocation.session_id,
            key_id=to_key.pk,
        )
    own = _allowed_price(allocation, to_key, list(now_served), now)
    prices = [price_of(price_id) for price_id in then_served.values()] or [own]
    if len(now_served) < len(allocation.named_models):
        # The others are served by other keys, at up to this price.
        prices.append(allocation.price)
    return max(prices, key=attrgetter("token_cost_max"))


def _allowed_price(
    allocation: Allocation, to_key: ApiKey, models: list[str], now: datetime
) -> Price:
    """The price of the target for its default model, or for the one that allow-lists leave.

    Refusal: RotationRefused.
    """
    allowed = allow_lists_of(allocation.payers)
    if not allowed:
        return to_key.price
    known = candidates(models=models, payers_usd=None, allowed=allowed, now=now)
    target = next(candidate for candidate in known if candidate.slug == to_key.pk)
    if target.excluded:
        why = selection.WORDS[target.excluded].format(detail=target.provider)
        raise RotationRefused(
            f"The API key {to_key.pk} {why}.", session_id=allocation.session_id, key_id=to_key.pk
        )
    return price_of(target.price_id)


def _refuse_dearer(allocation: Allocation, to_key: ApiKey, price: Price) -> None:
    """An agent chooses no key at which the rest could cost more than was lent for it. Butler's own
    choice, when a key fails, may be dearer. Refusal: RotationRefused."""
    if price.token_cost_max > allocation.token_cost_max:
        raise RotationRefused(
            f"A token can cost more on the API key {to_key.pk} than was lent for it. Rotate "
            "without key_id, or complete this allocation and request another one.",
            session_id=allocation.session_id,
            key_id=to_key.pk,
        )


def _moves(allocation: Allocation, to_key: ApiKey, price: Price) -> dict[str, Share]:
    """What each scope's windows commit more or less: see `keys.books.sql` for the rule."""
    left = _remainder(allocation)
    then = _cost_on(price, left.tokens, allocation)
    return {
        f"key:{allocation.api_key_id}": _holds_on(allocation, allocation.api_key_id).minus(left),
        f"key:{to_key.pk}": Share(left.tokens, then).minus(_holds_on(allocation, to_key.pk)),
        **dict.fromkeys(allocation.payers, Share(0, then - left.cost)),
    }


def _remainder(allocation: Allocation) -> Share:
    [committed] = fetch(sql.COMMITTED, allocation=allocation.pk)
    return committed


def _cost_on(price: Price, tokens: int, allocation: Allocation) -> Decimal:
    """The most that `tokens` cost at `price`, in USD; calls in flight keep their earlier price."""
    held: Decimal = allocation.held_cost
    return held + pricing.bound(price.rates, tokens - allocation.held)


def _holds_on(allocation: Allocation, key: str) -> Share:
    held = Charge.objects.filter(allocation=allocation, api_key=key, status="held").aggregate(
        tokens=Sum("held_tokens", default=0), cost=Sum("held_cost", default=Decimal(0))
    )
    return Share(**held)


def _has_room(locked: transactions.Books, moves: dict[str, Share]) -> bool:
    lacks = {window.id: lack for window in locked.windows if (lack := _lack(window, moves)) > 0}
    return not lacks or all(
        lacks[row.window_id] <= row.amount
        for row in fetch(GRANTED, windows=list(lacks), at=locked.at)
    )


def _lack(window: LockedRow, moves: dict[str, Share]) -> Decimal:
    """What of its move does not fit into a window, without its grants."""
    share = moves[window.scope]
    more = Decimal(share.tokens if window.unit == "tokens" else share.cost)
    return window.used + window.committed + more - window.amount if more > 0 else Decimal(0)


def _write(rotation: Rotation, price: Price, *, actor: Actor) -> Rotation:
    allocation, to_key = rotation.allocation, rotation.to_key
    left = _remainder(allocation)
    allocation.api_key, allocation.price = to_key, price
    allocation.allocated_cost = allocation.used_cost + _cost_on(price, left.tokens, allocation)
    allocation.token_cost_max = price.token_cost_max
    allocation.rotated_at = rotation.created_at
    changed = ["api_key", "price", "allocated_cost", "token_cost_max", "rotated_at"]
    allocation.save(update_fields=changed)
    rotation.save()
    audit.record(
        actor=actor,
        action=Action.ALLOCATION_ROTATE,
        subject=f"session:{allocation.session_id}",
        related=[f"agent:{allocation.agent_id}", to_key.scope, f"key:{rotation.from_key_id}"],
        before={"key_id": rotation.from_key_id},
        after={"key_id": to_key.pk, "moved_tokens": rotation.moved_tokens},
        reason=rotation.reason,
        at=rotation.created_at,
    )
    alerts.resolve_by_key(
        f"rotation_needed:{allocation.session_id}",
        actor=actor,
        note=f"rotated to {to_key.pk}",
        now=rotation.created_at,
    )
    return rotation
