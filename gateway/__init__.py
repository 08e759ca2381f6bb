"""Metering gateway: OpenAI's and Anthropic's wire formats, forwarded under a budget.

A call is admitted (held in its allocation), forwarded with the provider's key, and settled by the
usage that the provider reports.
Open: `refusals`, `leaks`.
Invariant: no route forwards anything that was not admitted.
"""
