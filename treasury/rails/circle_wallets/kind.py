"""What people set up for Circle's wallets."""

from treasury.rails.base import Mode
from treasury.rails.circle_wallets.rail import CircleWalletsRail
from treasury.rails.circle_wallets.webhook import CircleWebhooks
from treasury.rails.kinds import RailKind, Setting

# One address: the key decides whether money is real.
_URL = "https://api.circle.com"

CIRCLE_WALLETS = RailKind(
    slug="circle-wallets",
    title="Circle wallets",
    about="Pays USDC from a developer-controlled wallet. In sandbox mode the wallet is on a "
    "testnet, whose faucet gives play money.",
    capabilities=CircleWalletsRail.capabilities,
    urls={Mode.SANDBOX: _URL, Mode.LIVE: _URL},
    key_help="The API key, a space, and the entity secret (64 hexadecimal digits): Circle "
    "developer console, API keys and configurator.",
    settings=(
        Setting(
            name="wallet",
            label="Wallet",
            help_text="Circle's id of the wallet that pays.",
            is_required=True,
        ),
        Setting(
            name="token",
            label="Token",
            help_text="Circle's id of USDC on the blockchain of the wallet.",
            is_required=True,
        ),
        Setting(
            name="blockchain",
            label="Blockchain",
            help_text="The blockchain of the wallet, such as ETH-SEPOLIA.",
            is_required=True,
        ),
        Setting(
            name="address",
            label="Address",
            help_text="The address of the wallet, to which the faucet pays.",
        ),
    ),
    starts_with={Mode.SANDBOX: ("TEST_API_KEY:",), Mode.LIVE: ("LIVE_API_KEY:",)},
    connect=CircleWalletsRail,
    webhooks=CircleWebhooks,
)
