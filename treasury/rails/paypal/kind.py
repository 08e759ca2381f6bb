"""What people set up for PayPal."""

from treasury.rails.base import Mode
from treasury.rails.kinds import RailKind, Setting
from treasury.rails.paypal.rail import PayPalRail
from treasury.rails.paypal.webhook import PayPalWebhooks

PAYPAL = RailKind(
    slug="paypal",
    title="PayPal",
    about="Collects money into the organisation's PayPal account: the payer agrees on PayPal's "
    "page, then Butler captures it. PayPal cannot pay a provider.",
    capabilities=PayPalRail.capabilities,
    urls={
        Mode.SANDBOX: "https://api-m.sandbox.paypal.com",
        Mode.LIVE: "https://api-m.paypal.com",
    },
    key_help="The secret of the REST app: PayPal developer dashboard, Apps & Credentials, in the "
    "same mode.",
    settings=(
        Setting(
            name="client_id",
            label="Client id",
            help_text="The client id of the REST app.",
            is_required=True,
        ),
        Setting(
            name="return_url",
            label="Return address",
            help_text="Where the payer's browser goes after PayPal's page, such as "
            "https://butler.example.com/treasury.",
            is_required=True,
        ),
        Setting(
            name="webhook_id",
            label="Webhook id",
            help_text="The id that PayPal shows beside the webhook of the app. Without it no "
            "webhook is believed.",
        ),
    ),
    statement_format="paypal",
    connect=PayPalRail,
    webhooks=PayPalWebhooks,
)
