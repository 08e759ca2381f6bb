"""What people set up for x402."""

from treasury.rails.base import Mode
from treasury.rails.kinds import RailKind
from treasury.rails.x402.rail import X402Rail

X402 = RailKind(
    slug="x402",
    title="x402 (testnet)",
    about="Signs payments of agents to services that answer HTTP 402, in test USDC on Base "
    "Sepolia, within an allowance. Butler calls nobody: the service carries the payment out.",
    capabilities=X402Rail.capabilities,
    # Nothing is sent anywhere.
    urls={Mode.SANDBOX: ""},
    key_help="The private key of a wallet of testnets, 64 hexadecimal digits. Never enter one "
    "that holds real money.",
    connect=X402Rail,
)
