"""A service for which a person must say why refuses an empty reason by itself."""

import importlib
import inspect

import pytest

from common.refusal import Refusal

_APPS = (
    *("alerts", "gate", "gateway", "interchange", "keys", "orchestration", "prediction"),
    *("reports", "security", "treasury"),
)
# Their reasons come from Butler, agents or providers, not from a person who must say why.
_NOT_OF_PERSONS = {"ask_approval", "fail", "rotate", "prolong_suspension"}
# They refuse it, with refusals of their own, after a look at the money: tests/treasury tries them.
_AFTER_A_LOOK = {
    *("accept_difference", "adjust_difference", "explain_difference", "learn_names"),
    *("book_difference_as_fee", "book_difference_as_own_transfer", "close_period", "record_rate"),
    *("ask_payout", "cancel_payout", "deny_payout", "ask_refund", "cancel_refund", "deny_refund"),
    *("propose_purchase", "cancel_purchase", "deny_purchase", "pause_policy", "resume_policy"),
}
_REASONS = ["", "  \n", "x" * 301]


def _services():
    for app in _APPS:
        offered = importlib.import_module(f"{app}.services")
        for name in offered.__all__:
            service = getattr(offered, name)
            if inspect.isfunction(service) and name not in _NOT_OF_PERSONS | _AFTER_A_LOOK:
                reason = inspect.signature(service).parameters.get("reason")
                if reason is not None and reason.default is reason.empty:
                    yield pytest.param(service, id=f"{app}.{name}")


@pytest.mark.parametrize("service", _services())
def test_a_service_that_demands_a_reason_refuses_an_empty_one_first(service):
    """O47. Nothing else is looked at before, so the other arguments may be anything."""
    parameters = inspect.signature(service).parameters.values()
    demanded = [each for each in parameters if each.default is each.empty and each.kind < 4]
    names = [each.name for each in demanded]
    without_transaction = inspect.unwrap(service)
    for reason in _REASONS:
        given = {**dict.fromkeys(names), "reason": reason}
        positional = [given.pop(each.name) for each in demanded if each.kind == 0]
        with pytest.raises(Refusal) as refused:
            without_transaction(*positional, **given)
        assert refused.value.code in ("wrong_value", "reason_missing")
        assert refused.value.facts()["field"] == "reason"
