"""`/api/v1`: what pages show, for scripts; read-only."""
