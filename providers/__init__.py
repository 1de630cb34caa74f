"""Everything between a prompt and a provider; ARCHITECTURE in the README maps it."""
