"""The page of exchange rates."""
