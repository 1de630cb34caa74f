"""The organisation, its teams and people: who they are and what they may do."""
