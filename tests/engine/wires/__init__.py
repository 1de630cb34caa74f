"""Each wire's own way to say one and the same answer, and to fail; `Wire` tells what."""
