"""Where things are kept: tables, repositories, blobs, sources and destinations."""
