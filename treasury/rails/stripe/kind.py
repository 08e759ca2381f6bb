"""What people set up for Stripe."""

from treasury.rails.base import Mode
from treasury.rails.kinds import RailKind, Setting
from treasury.rails.stripe.rail import StripeRail
from treasury.rails.stripe.webhook import StripeWebhooks

# One address: the secret decides whether money is real.
_URL = "https://api.stripe.com"

STRIPE = RailKind(
    slug="stripe",
    title="Stripe",
    about="Collects money by card into the organisation's Stripe balance. Stripe cannot pay a "
    "provider: only its own bank account.",
    capabilities=StripeRail.capabilities,
    urls={Mode.SANDBOX: _URL, Mode.LIVE: _URL},
    key_help="A restricted key (rk_…) that may write payment intents, Checkout sessions, "
    "refunds and payouts and read the balance and its transactions, or a secret key (sk_…): "
    "Stripe dashboard, Developers, API keys.",
    webhook_help="The signing secret (whsec_…) of the webhook endpoint: Stripe dashboard, "
    "Developers, Webhooks.",
    settings=(
        Setting(
            name="return_url",
            label="Return address",
            help_text="Where the payer's browser goes after the hosted page, such as "
            "https://butler.example.com/treasury.",
            is_required=True,
        ),
        Setting(
            name="customer",
            label="Customer",
            help_text="The id (cus_…) of the customer whose card is saved. Without it, each "
            "payment has a hosted page where the payer enters a card.",
        ),
        Setting(
            name="payment_method",
            label="Saved card",
            help_text="The id (pm_…) of the saved card that is charged at once.",
        ),
        Setting(
            name="bank_account",
            label="Bank account",
            help_text="The id (ba_…) of the organisation's bank account in Stripe that payouts go "
            "to. Without it, Butler pays nothing out.",
        ),
    ),
    starts_with={Mode.SANDBOX: ("sk_test_", "rk_test_"), Mode.LIVE: ("sk_live_", "rk_live_")},
    statement_format="stripe",
    connect=StripeRail,
    webhooks=StripeWebhooks,
)
