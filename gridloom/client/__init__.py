"""A client of the four APIs, blocking and with asyncio."""

from gridloom.access import Access
from gridloom.client.answers.jobs import (
    Event,
    Job,
    LogLine,
    Output,
    PhaseMeans,
    Progress,
    Result,
    Reuse,
    Task,
)
from gridloom.client.calls.components import Kind
from gridloom.client.calls.jobs import Filter
from gridloom.client.clients import AsyncClient, Client

__all__ = [
    "Access",
    "AsyncClient",
    "Client",
    "Event",
    "Filter",
    "Job",
    "Kind",
    "LogLine",
    "Output",
    "PhaseMeans",
    "Progress",
    "Result",
    "Reuse",
    "Task",
]
