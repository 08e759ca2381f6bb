"""Usage that another system recorded, as CSV files of people and of other gateways."""
