"""Tables of the organisation, its cost centres and agents."""
