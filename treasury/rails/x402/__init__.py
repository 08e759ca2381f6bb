"""x402: an agent pays a service that answers HTTP 402, by a signature of Butler. Testnets only."""
