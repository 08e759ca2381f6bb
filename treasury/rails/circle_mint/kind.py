"""What people set up for Circle Mint."""

from treasury.rails.base import Mode
from treasury.rails.circle_mint.rail import CircleMintRail
from treasury.rails.circle_mint.webhook import CircleMintWebhooks
from treasury.rails.kinds import RailKind, Setting

CIRCLE_MINT = RailKind(
    slug="circle-mint",
    title="Circle Mint",
    about="Pays USDC to verified blockchain addresses, and USD to bank accounts, from the "
    "organisation's account with Circle.",
    capabilities=CircleMintRail.capabilities,
    urls={Mode.SANDBOX: "https://api-sandbox.circle.com", Mode.LIVE: "https://api.circle.com"},
    key_help="An API key of Circle Mint: Circle console, Developer, API keys.",
    settings=(
        Setting(
            name="topic",
            label="SNS topic",
            help_text="The TopicArn (arn:aws:sns:…) of Circle's notifications, as the subscription "
            "shows it. Notifications of other topics are rejected.",
        ),
        Setting(
            name="bank_account",
            label="Bank account",
            help_text="Circle's id (a UUID) of the organisation's own bank account that wires of "
            "payouts go to. Without it, Butler pays nothing out.",
        ),
    ),
    starts_with={
        Mode.SANDBOX: ("SAND_API_KEY:", "TEST_API_KEY:"),
        Mode.LIVE: ("LIVE_API_KEY:",),
    },
    statement_format="circle-mint",
    connect=CircleMintRail,
    webhooks=CircleMintWebhooks,
)
