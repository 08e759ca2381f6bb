"""The secrets of the Treasury, which are looked for as all of Butler's own are."""

from collections.abc import Iterator

from keys.own_secrets import SealedSecret, register_source
from treasury.models import BalanceAccess, RailAccount, ReportAccess, SpendCap

_RAIL_FIELDS = ("sealed_secret", "sealed_webhook_secret")


def _secrets() -> Iterator[SealedSecret]:
    for rail in RailAccount.objects.all():
        for field in _RAIL_FIELDS:
            if getattr(rail, field) is not None:
                yield SealedSecret(rail.address, rail, field)
    for access in BalanceAccess.objects.exclude(sealed=None):
        yield SealedSecret(f"account:{access.credit_account_id}", access, "sealed")
    for cap in SpendCap.objects.all():
        yield SealedSecret(f"account:{cap.credit_account_id}", cap, "sealed")
    for reports in ReportAccess.objects.all():
        yield SealedSecret(f"provider:{reports.provider_id}", reports, "sealed")


register_source(_secrets)
