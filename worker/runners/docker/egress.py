"""The network of containers whose tasks may reach public addresses: not this host, not each other, nothing private."""

import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import structlog
from docker.errors import APIError, NotFound

from gridloom.errors import AttemptFailed, RunnerFailed
from gridloom.states import EndReason
from worker.runners.docker.daemon import Engine, Opener, daemon_errors, engine_of
from worker.runners.docker.firewall import Firewall

log = structlog.get_logger(__name__)

NETWORK = "gridloom-egress"
BRIDGE = "gridloom0"
LABEL = "gridloom.egress"
_APPEARS_WITHIN_S, _LOOK_S = 5.0, 0.1
_BRIDGE_NAME, _BETWEEN = "com.docker.network.bridge.name", "com.docker.network.bridge.enable_icc"
_BRIDGED_TOO = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
_HOW = (
    "run the worker as root on the daemon's own machine, with iptables; or name a network that you have locked down"
    " yourself in GRIDLOOM_EGRESS_NETWORK"
)


class Egress:
    """Makes the network, shared by all workers of a machine, and keeps its rules.

    `own` is a network of the operator's that takes its place, rules and all. `name` and `firewall` are for a machine
    that needs other names.
    """

    def __init__(
        self,
        opener: Opener,
        *,
        own: str = "",
        name: str = NETWORK,
        bridge: str = BRIDGE,
        firewall: Firewall | None = None,
    ) -> None:
        self._opener, self._own = opener, own
        self._name, self._bridge = name, bridge
        self._firewall = firewall or Firewall(bridge)
        self._lock = threading.Lock()

    def network(self) -> str:
        """Return the name of the daemon's network, made when missing, whose rules stand at this moment.

        Raises:
            AttemptFailed: when this machine can't give one; the message tells the operator how it could.
            RunnerFailed: when the daemon gives no answer.
        """
        with self._lock, closing(self._opener()) as client:
            if self._own:
                if _inspect(client, self._own) is None:
                    raise _refusal(
                        f"the daemon has no network {self._own!r}, which GRIDLOOM_EGRESS_NETWORK names"
                    )
                return self._own
            self._lock_down(client)
            facts = _inspect(client, self._name) or self._make(client)
            self._check(facts)
        return self._name

    def _lock_down(self, client: docker.APIClient) -> None:
        """Set the rules: before the bridge is there, so that nothing ever passes without them."""
        if engine_of(client) is Engine.PODMAN:
            raise _refusal("Podman can't keep the containers of one network apart")
        try:
            self._firewall.hold()
        except RunnerFailed as error:
            raise _refusal(f"firewall rules can't be set ({error.message})") from error

    def _make(self, client: docker.APIClient) -> dict[str, Any]:
        with daemon_errors(f"network {self._name} can't be made"):
            try:
                client.create_network(
                    self._name,
                    driver="bridge",
                    check_duplicate=True,
                    enable_ipv6=False,
                    labels={LABEL: "1"},
                    options={_BRIDGE_NAME: self._bridge, _BETWEEN: "false"},
                )
                log.info("egress_network_made", network=self._name, bridge=self._bridge)
            except APIError:
                # Another worker was faster: the bridge's name is there once only, the network a moment later.
                if (made := self._await(client)) is None:
                    raise
                return made
        return _inspect(client, self._name) or {}

    def _await(self, client: docker.APIClient) -> dict[str, Any] | None:
        deadline = time.monotonic() + _APPEARS_WITHIN_S
        while (found := _inspect(client, self._name)) is None and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        return found

    def _check(self, facts: dict[str, Any]) -> None:
        options = facts.get("Options") or {}
        seen = (
            facts.get("Driver"),
            facts.get("EnableIPv6"),
            options.get(_BRIDGE_NAME),
            options.get(_BETWEEN),
        )
        if seen != ("bridge", False, self._bridge, "false"):
            raise _refusal(f"network {self._name!r} is there, but not as Gridloom makes it: remove it")
        if not Path("/sys/class/net", self._bridge, "bridge").exists():
            raise _refusal(
                f"the daemon's bridge {self._bridge} is not in this worker's network, where its rules are"
            )
        if not _BRIDGED_TOO.exists() or _BRIDGED_TOO.read_text().strip() != "1":
            raise _refusal("the kernel lets containers of one bridge reach each other (no br_netfilter)")


def _inspect(client: docker.APIClient, name: str) -> dict[str, Any] | None:
    with daemon_errors("the container daemon doesn't say whether it has a network"):
        try:
            facts: dict[str, Any] = client.inspect_network(name)
        except NotFound:
            return None
    return facts


def _refusal(why: str) -> AttemptFailed:
    return AttemptFailed(EndReason.RUNNER_FAILED, f"this worker has no network with egress: {why}. {_HOW}")
