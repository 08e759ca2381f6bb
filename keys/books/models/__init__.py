"""Tables of the books: allocations, charges, rotations, decisions, slots."""
