"""Circle's developer-controlled wallets: USDC on a blockchain, and the faucet of testnets."""
