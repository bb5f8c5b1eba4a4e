"""Request and response bodies of the public APIs."""
