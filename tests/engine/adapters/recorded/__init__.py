"""What recorded bodies say, read a second time without any code of ours: one module a wire.

A module is named like its folder of recordings and has `expected(recording) -> Said`. A wire whose
answers are no events (embeddings) brings its own `async heard(recording, pieces)` as well, and both
may then answer with anything that compares.
"""
