"""What each team wants otherwise than the installation has it."""
