"""Many prompts in one go: rows that any worker asks, and that outlive all of them."""
