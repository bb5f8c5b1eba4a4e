"""The published messages of the public APIs: `gridloom.proto`, and what protoc made of it."""
