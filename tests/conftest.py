"""Fixtures of every test; they live by theme in `tests/fixtures`."""

import signal

import structlog

pytest_plugins = [
    "tests.fixtures.control_plane",
    "tests.fixtures.dockerd",
    "tests.fixtures.images",
    "tests.fixtures.postgres",
    "tests.fixtures.registry",
    "tests.fixtures.seaweed",
    "tests.fixtures.bucket_proxy",  # after what it imports
    "tests.fixtures.tables",
    "tests.fixtures.valkey",
]

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would every child that they interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)

# To render a traceback with all local variables, as is usual, takes seconds.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)
