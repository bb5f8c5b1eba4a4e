"""Buckets that speak the S3 protocol: Amazon, Google, Storj, and servers of one's own."""
