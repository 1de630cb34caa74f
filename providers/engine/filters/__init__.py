"""Finding what must not leave: pure, linear in the text, the same for a text whole or in pieces."""
