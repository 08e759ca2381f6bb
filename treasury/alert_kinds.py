"""The kinds of alerts about purchases of credit and about providers' bills."""

from alerts.kinds import AlertKind, register
from alerts.models import Severity

PURCHASE_DECLINED = register(
    AlertKind(
        slug="purchase_declined",
        severity=Severity.WARNING,
        meaning="Credit of a provider was not bought: the rail declined the payment, or there was "
        "too little money on it. The money that was set aside is free again. Butler waits longer "
        "after each decline in a row, and pauses the policy after some.",
        remedy="Read the rail's own words on the page of the purchase. Put money on the rail, or "
        "replace the card. Butler resolves the alert when the next purchase is paid.",
        page="purchase",
        subject="purchase_id",
    )
)
PURCHASE_WAITS = register(
    AlertKind(
        slug="purchase_waits",
        severity=Severity.CRITICAL,
        meaning="A purchase of credit waits for a person: the rail asks for a confirmation such as "
        "3-D Secure, a person pays it, or the rail does not know any more whether it was paid. Its "
        "money stays set aside, and no other credit of this provider is bought until then.",
        remedy="Do what the last line of the purchase's timeline says, then say on its page what "
        "came of it. Butler resolves the alert when it is known whether the purchase was paid.",
        page="purchase",
        subject="purchase_id",
    )
)
REFUND_WAITS = register(
    AlertKind(
        slug="refund_waits",
        severity=Severity.WARNING,
        meaning="A refund waits for a person: the rail of the payment makes none, so somebody must "
        "ask the provider for it, or the rail does not know any more whether it was made. What is "
        "set aside for it stays so until then. Or it failed after it was made, and its money was "
        "used since, so the ledger cannot take it back.",
        remedy="Do what the last line on the page of the refund says, then say there what came of "
        "it. Where its money was used, put money on the rail: Butler tries again. It resolves the "
        "alert when it is known whether the money went back.",
        page="refund",
        subject="refund_id",
    )
)
PAYOUT_WAITS = register(
    AlertKind(
        slug="payout_waits",
        severity=Severity.WARNING,
        meaning="A payout to the organisation's bank waits for a person: the rail does not know "
        "any more whether it was made, or says another amount. Its money stays set aside until "
        "then. Or the rail says that it came back, after its arrival was booked.",
        remedy="Look into the rail's own console, then say on the page of the payout what came of "
        "it. Where it came back, book the line with which the bank sends it back as an own "
        "transfer; if the line of another payment was booked as its arrival, correct that. Butler "
        "tries again within the hour, and resolves the alert when it is known where the money is.",
        page="payout",
        subject="payout_id",
    )
)
MONEY_IN_TRANSIT = register(
    AlertKind(
        slug="money_in_transit",
        severity=Severity.WARNING,
        meaning="Money has left one of the organisation's accounts for another one, and no "
        "statement of that account has had it for more days than BUTLER_TRANSIT_DAYS says. It is "
        "late, it went elsewhere or back, or its line was not booked.",
        remedy="Fetch or import the latest statement of the account that should have it. Where the "
        "line is there, book it as an own transfer. Where it is not, ask the vendor that has sent "
        "it; if it came back, book the line with which it came back. Butler resolves the alert "
        "when nothing is in transit for so long.",
        page="account",
        subject="account_id",
    )
)
PURCHASES_PAUSED = register(
    AlertKind(
        slug="purchases_paused",
        severity=Severity.CRITICAL,
        meaning="As many purchases in a row were declined as the policy of this credit allows, so "
        "it is paused: nothing is bought any more, and the credit runs out.",
        remedy="Find out why the rail declines, and put it right. Then resume the policy on its "
        "page, which resolves the alert.",
        page="purchase_policy",
        subject="policy_id",
    )
)
CREDIT_LOW = register(
    AlertKind(
        slug="credit_low",
        severity=Severity.WARNING,
        meaning="There is less credit with a provider than its policy wants, and Butler may not "
        "buy more now: a bound of the policy is reached, it is paused, or these are its quiet "
        "hours.",
        remedy="Look at the policy's page. If the provider is used more than before, propose a "
        "policy with higher bounds. Butler resolves the alert when there is enough credit.",
        page="purchase_policy",
        subject="policy_id",
    )
)
RELOAD_EXCEEDS = register(
    AlertKind(
        slug="reload_exceeds",
        severity=Severity.CRITICAL,
        meaning="A provider has reloaded its credit by itself beyond what two persons have "
        "approved: by more at once, in a day or in a month, or while the policy is paused. Butler "
        "has booked it, and cannot stop it.",
        remedy="Lower the reload on the provider's page, or switch it off. If so much is needed, "
        "propose a policy with higher bounds. Then resolve the alert.",
        page="purchase",
        subject="purchase_id",
    )
)
BILL_DIFFERS = register(
    AlertKind(
        slug="bill_differs",
        severity=Severity.WARNING,
        meaning="What a provider reports differs from what Butler metered by more than the "
        "tolerance. Either the provider bills too much, or the books have too little.",
        remedy="Look at the evidence of each open difference on the page of reconciliation, the "
        "largest first. Explain it, adjust it or accept it, each with a reason. Butler resolves "
        "the alert when no difference of the provider is open.",
        page="difference",
        subject="difference_id",
    )
)
RAIL_STATEMENT_DIFFERS = register(
    AlertKind(
        slug="rail_statement_differs",
        severity=Severity.WARNING,
        meaning="The statement of a rail or bank has something that the ledger does not have, or "
        "the reverse. Money moved that nobody recorded, or it did not move.",
        remedy="Look at the evidence of each open difference, the largest first. Record what is "
        "missing and match the statements again, or explain, accept or adjust the difference. "
        "Butler resolves the alert when no difference of the account is open.",
        page="difference",
        subject="difference_id",
    )
)
BALANCE_DIFFERS = register(
    AlertKind(
        slug="balance_differs",
        severity=Severity.WARNING,
        meaning="What a provider says about its credit differs from the ledger by more than 1 USD "
        "and more than 1 %, twice in a row. Calls are made that Butler does not see, or credit was "
        "bought, granted or has expired without the ledger.",
        remedy="Compare the provider's console with the transfers on the page of the account. "
        "Record what is missing, or ask a second person to take the provider's figure over. Butler "
        "resolves the alert when both agree.",
        page="account",
        subject="account_id",
    )
)
BALANCE_UNREAD = register(
    AlertKind(
        slug="balance_unread",
        severity=Severity.WARNING,
        meaning="The balance of a provider's credit could not be read three times in a row, so "
        "only the ledger says what is left.",
        remedy="Look at the reason on the page of the account. Enter another secret if it was "
        "refused. Butler resolves the alert when the balance is read again.",
        page="account",
        subject="account_id",
    )
)
CREDIT_RUNS_OUT = register(
    AlertKind(
        slug="credit_runs_out",
        severity=Severity.CRITICAL,
        meaning="The credit of a provider lasts fewer than 3 days by the low end of its runway "
        "(while too little is known, at the pace of the busiest of the last seven days), and no "
        "policy buys it by itself.",
        remedy="Buy credit, or set a policy by which Butler buys it. Butler resolves the alert "
        "when there is enough for 3 days.",
        page="account",
        subject="account_id",
    )
)
PURCHASES_AT_CEILING = register(
    AlertKind(
        slug="purchases_at_ceiling",
        severity=Severity.WARNING,
        meaning="Credit is bought as fast as its policy allows: six purchases followed one another "
        "without a pause beyond the cool-off, or the bound of a day was reached on three days in a "
        "row. Either more is used than was planned, or what is bought never becomes credit.",
        remedy="Look at the purchases and at who uses the provider. Pause the policy if this is "
        "wrong, or propose one with higher bounds. Butler resolves the alert when the pace is "
        "over.",
        page="purchase_policy",
        subject="policy_id",
    )
)
SPEND_CAP_DIFFERS = register(
    AlertKind(
        slug="spend_cap_differs",
        severity=Severity.WARNING,
        meaning="The limit of spending that a provider keeps itself is not what two persons have "
        "set, or it could not be read or set. The books still bound what agents spend, but the "
        "second fence is not where it should be.",
        remedy="Read the reason on the page of the account. Where the provider does not take "
        "limits by its API, set it in the provider's console. Butler looks every hour and resolves "
        "the alert when both are the same.",
        page="account",
        subject="account_id",
    )
)
CREDIT_EXPIRES = register(
    AlertKind(
        slug="credit_expires",
        severity=Severity.WARNING,
        meaning="Credit of a provider ends within 30 days, and at the pace of the last seven days "
        "not all of it is used until then.",
        remedy="Send more calls to this provider, or ask it to prolong the credit. Butler resolves "
        "the alert when it is used up or has ended.",
        page="account",
        subject="account_id",
    )
)
