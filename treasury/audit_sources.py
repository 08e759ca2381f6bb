"""What `treasury` has sealed."""

from security.audit_chain.sources import Source, register
from treasury.models import Transfer

register(Source(slug="transfer", model=Transfer))
