"""PayPal: collects money from a payer who agrees on PayPal's page.

It cannot pay a provider. `kind` is what people set up, `rail` what the Treasury calls, `token` its
access, `answers` what PayPal's objects mean, `reporting` what it tells of whole days, `webhook`
checks what PayPal tells with the key of `certificates`.
"""
