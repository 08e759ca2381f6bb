"""Real clients against the gateway; `make clients` installs them."""
