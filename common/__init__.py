"""Tools without a domain: no models, no Butler noun. Every module here is open to every app."""
