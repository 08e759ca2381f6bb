"""The blockchains and tokens that are paid with: play money only."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Network:
    """A testnet and its coin: `names` as both versions of x402 call it; `contract` is the address
    of the coin, `coin` and `coin_version` are what its signatures name."""

    title: str
    names: tuple[str, ...]
    chain_id: int
    contract: str
    coin: str
    coin_version: str


# Another one is another line. None whose money is real: a signature cannot be taken back.
NETWORKS = (
    Network(
        title="Base Sepolia",
        names=("base-sepolia", "eip155:84532"),
        chain_id=84532,
        contract="0x036CbD53842c5426634e7929541eC2318f3dCF7e",
        coin="USDC",
        coin_version="2",
    ),
)
BY_NAME = {name: network for network in NETWORKS for name in network.names}
# USDC has six decimal places on every chain.
TOKEN_PLACES = 6
