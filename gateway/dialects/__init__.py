"""The dialects: what each route's requests need for metering, and how its answers say usage."""
