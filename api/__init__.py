"""HTTP in: the public APIs, the workers' API and the console's files."""
