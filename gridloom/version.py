"""The version that is installed."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("gridloom")
except PackageNotFoundError:  # run from a checkout that was never installed
    VERSION = "0.0.0"
