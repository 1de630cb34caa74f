"""What the operator sees of the response cache, and what they may throw away."""
