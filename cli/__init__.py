"""The gridloom command: speaks HTTP and starts processes."""
