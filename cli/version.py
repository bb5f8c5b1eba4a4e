"""`gridloom version`."""

from cli.output import AsJson, show


def version(*, as_json: AsJson = False) -> None:
    """Print the version.

    Example: gridloom version
    """
    from gridloom.version import VERSION

    show({"version": VERSION}, VERSION, as_json=as_json)
