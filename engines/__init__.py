"""Built-in partitioners and assemblers, each a data package in the users' own format."""
