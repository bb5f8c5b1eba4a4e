"""How the worker wants its agent."""

from __future__ import annotations

from collections.abc import Iterable


class Options:
    """The agent's `name=value` arguments; `worker.runners.agent_link.AgentOptions` says what they mean."""

    def __init__(self, arguments: Iterable[str]) -> None:
        given = dict(it.split("=", 1) for it in arguments)
        self.link = given["link"]
        self.scratch_mib = int(given["scratch_mib"])
        self.shared_tmp = given["shared_tmp"] == "1"
        self.components = given["components"]
        self.nested = given["nested"] == "1"
        self.confined = given["confined"] == "1"
        self.portable = given["portable"] == "1"
