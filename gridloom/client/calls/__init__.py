"""Every operation of the four APIs as a conversation, free of sockets."""
