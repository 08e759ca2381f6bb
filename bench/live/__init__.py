"""What live pages cost, and whether agents notice them."""
