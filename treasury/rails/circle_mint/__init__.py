"""Circle Mint: the organisation's account with Circle, which pays to verified addresses and banks.

Amounts are in USD: Circle keeps USDC in Mint as USD, one for one.
"""
