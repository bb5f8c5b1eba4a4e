"""Whom this machine trusts to vouch for servers."""

import ssl

import httpx


def trusted() -> ssl.SSLContext:
    """Return a context that takes certificates of public authorities and of those that this machine's owner added.

    SSL_CERT_FILE and SSL_CERT_DIR name others instead.
    """
    context = httpx.create_ssl_context()
    # httpx brings a list of its own and does not look at the system's, where an organisation's authority is.
    context.load_default_certs()
    return context
