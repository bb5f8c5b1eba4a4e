"""The vocabulary of the fabric: states, ids, settings, errors, manifests, wire messages."""
