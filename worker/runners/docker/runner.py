"""The runner whose slots are containers: an agent in each is PID 1 and forks the tasks.

The daemon makes and removes containers and stays out of a task's way. No part of a container is privileged, so images,
their interpreters included, may be hostile.
"""

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import docker
import structlog
from docker.errors import APIError
from docker.utils import version_lt

from gridloom.errors import RunnerFailed
from gridloom.warmth import Network
from worker.runners.agent_link import AgentLink, Listener
from worker.runners.agent_slot import AgentSlot
from worker.runners.docker.assets import Assets, make
from worker.runners.docker.container import ContainerHome, discard, remove
from worker.runners.docker.daemon import Opener, daemon_errors
from worker.runners.docker.image_store import Image
from worker.runners.docker.images import Images
from worker.runners.docker.planner import Planner
from worker.runners.docker.spec import Plan, config
from worker.runners.docker.sweep import PREFIX, WORKER, WorkerIdentity, sweep
from worker.runners.protocol import Capabilities, Grounds, ImageHad, ImageWanted, Slot, SlotFacts, SlotKey

log = structlog.get_logger(__name__)

CREATES_AT_ONCE = 4  #: more only make each of them slower
OPENS_WITHIN_S = 45.0
WORDS = 300  #: characters of an agent's last line
INTERPRETERS = ("python3", "python", "")  #: in this order; "" is the portable one
KILLED = 128  #: exit codes from here on are no choice of the program's own
UNSTARTABLE = ("executable file", "no such file", "permission denied", "exec format", "not a directory")


LOCAL = "http+docker://localhost"  #: what the SDK makes of a unix socket
OLDEST_API = "1.40"
BOUNDS = {
    "MemoryLimit": "memory",
    "PidsLimit": "processes",
    "CpuCfsQuota": "cores",
}  #: by the daemon's own facts


class Egress(Protocol):
    """What this runner needs of the network that leads out."""

    def network(self) -> str:
        """Return the name of the daemon's network."""


class Unfit(RunnerFailed):
    """Raised when an interpreter of an image can't be an agent, however often it is tried."""


class DockerRunner:
    """Opens slots in containers of one daemon, Docker or Podman.

    `assets` is a folder of this worker's own, below its scratch folder, for what all containers are shown;
    `default_image` names the image of those who name none. Sweeping at the start and each minute is the caller's to
    ask for.
    """

    def __init__(
        self,
        opener: Opener,
        grounds: Grounds,
        images: Images,
        egress: Egress,
        assets: Path,
        default_image: Callable[[], str] | None = None,
    ) -> None:
        self.capabilities = Capabilities(name="docker", isolation="container", memory_by_cgroup=True)
        self.identity = WorkerIdentity.of(os.getpid(), grounds.slots.parent)
        self._opener, self._grounds, self._images, self._egress = opener, grounds, images, egress
        self._planner = Planner(grounds, Assets(assets), self.identity)
        self._known: set[str] = set()
        self._fitting: dict[str, str] = {}
        self._default_image = default_image
        self._creating = threading.BoundedSemaphore(CREATES_AT_ONCE)

    def probe(self) -> str | None:
        """Return why no container can be run and bounded here, in one sentence, or None."""
        try:
            with (
                contextlib.closing(self._opener()) as client,
                daemon_errors("the container daemon is out of order"),
            ):
                facts = client.info()
                version, is_local = client.api_version, client.base_url == LOCAL
        except RunnerFailed as error:
            return error.message
        if facts["OSType"] != "linux":
            return f"the container daemon runs {facts['OSType']} containers, not linux ones"
        if not is_local:
            return "the container daemon is reached over the network, and can't show its containers folders of this machine"
        if version_lt(version, OLDEST_API):
            return f"the container daemon speaks version {version} of Docker's API; {OLDEST_API} is needed"
        unbounded = [what for member, what in BOUNDS.items() if facts.get(member) is False]
        return f"the container daemon can't bound {' and '.join(unbounded)} here" if unbounded else None

    def have_image(self, wanted: ImageWanted, go_on: Callable[[], bool]) -> ImageHad:
        """Make sure that an image is here, for as long as `go_on` says so.

        Raises:
            AttemptFailed: when it can't be had (image_unavailable).
            RunnerFailed: when the daemon is out of order.
        """
        if not wanted.reference and self._default_image is not None:
            wanted = replace(wanted, reference=self._default_image())
        return self._images.have(wanted, go_on)

    def open_slot(self, key: SlotKey) -> Slot:
        """Start a container and wait for its agent.

        Raises:
            AttemptFailed: when this machine can't give what the key asks for, such as a network.
            RunnerFailed: when none can be started now.
        """
        image = self._images.inspect(key.image)
        network = self._egress.network() if key.network is Network.EGRESS else ""
        unfit: list[str] = []
        first = INTERPRETERS.index(self._fitting.get(image.id, INTERPRETERS[0]))
        with self._creating, contextlib.closing(self._opener()) as client:
            deadline = time.monotonic() + OPENS_WITHIN_S
            for interpreter in INTERPRETERS[first:]:
                try:
                    slot = self._open(Opening(client, key, image, network, interpreter, deadline))
                except Unfit as error:
                    log.info("interpreter_unfit", image=key.image, interpreter=interpreter, why=error.message)
                    unfit.append(error.message)
                else:
                    self._fitting[image.id] = interpreter
                    return slot
        raise RunnerFailed(f"no agent starts in image {key.image}: {'; '.join(unfit)}")

    def sweep(self) -> None:
        """Remove the containers and slot folders that dead workers, and this one's failures, have left. Never raises."""
        try:
            with contextlib.closing(self._opener()) as client, daemon_errors("containers can't be listed"):
                sweep(
                    lambda: client.containers(all=True, filters={"label": WORKER}),
                    lambda ident: remove(client, ident),
                    self._grounds.slots,
                    self.identity,
                    self._known.__contains__,
                )
        except (RunnerFailed, OSError) as error:
            log.warning("sweep_failed", error=str(error))

    def close(self) -> None:
        """Nothing is held beyond the slots, which are closed by who opened them."""

    def _open(self, opening: "Opening") -> AgentSlot:
        key, name = opening.key, f"{PREFIX}{secrets.token_hex(8)}"
        with contextlib.ExitStack() as undo:
            gone = self._enter(name, key.image)
            undo.callback(gone)
            try:
                plan = self._planner.plan(
                    opening.client, key, name, opening.image, opening.interpreter, opening.network
                )
                make(plan.folder)
                undo.callback(discard, plan.folder)
                listener = Listener(plan.folder)
            except OSError as error:
                raise RunnerFailed(f"a slot's folders can't be made: {error}") from error
            undo.callback(listener.close)
            home = ContainerHome(
                self._opener, opening.create(plan), plan.folder, network=bool(plan.network), gone=gone
            )
            undo.callback(home.destroy)
            link = opening.start(home.ident, listener)
            undo.pop_all()
        home.moved_in(link.pid)
        if not link.hello.nested:
            log.warning("tasks_share_a_container", image=key.image, why=link.hello.why_not)
        facts = SlotFacts(
            isolation="container+namespaces" if link.hello.nested else "container",
            image=key.image,
            python=link.hello.python,
        )
        python = opening.interpreter or INTERPRETERS[0]
        return AgentSlot(link, home, facts, uid=self._planner.uid, python=python)

    def _enter(self, name: str, digest: str) -> Callable[[], None]:
        """Note that a slot is on its way; return what notes that it is gone, once."""
        self._images.in_use(digest)
        self._known.add(name)

        def gone() -> None:
            try:
                self._known.remove(name)
            except KeyError:
                return
            self._images.release(digest)

        return gone


@dataclass(frozen=True, slots=True)
class Opening:
    """One try to have an agent in a container, by one interpreter."""

    client: docker.APIClient
    key: SlotKey
    image: Image
    network: str
    interpreter: str
    deadline: float

    def create(self, plan: Plan) -> str:
        """Create the container; return its id.

        Raises:
            RunnerFailed: when the daemon refuses.
        """
        with daemon_errors("a container can't be made"):
            ident: str = self.client.create_container_from_config(config(plan), name=plan.name)["Id"]
        return ident

    def last_words(self, ident: str) -> str:
        """Return the last line that the agent printed."""
        with daemon_errors("a container's output can't be read"):
            lines: list[str] = self.client.logs(ident, tail=1).decode("utf-8", "replace").splitlines()
        return lines[-1][:WORDS] if lines else ""

    def start(self, ident: str, listener: Listener) -> AgentLink:
        """Start the container and wait for its agent.

        Raises:
            Unfit: when the image lacks the interpreter, or that ends by itself: it is too old, or no Python.
            RunnerFailed: when the container can't be started otherwise, or the agent does not answer in time.
        """
        name = self.interpreter or "the portable interpreter"
        with daemon_errors("a container can't be started"):
            try:
                self.client.start(ident)
            except APIError as error:
                why = str(error.explanation or error).strip()
                if any(it in why.lower() for it in UNSTARTABLE):
                    raise Unfit(f"{name} can't be started: {why}") from error
                raise
        codes: list[int] = []

        def trouble() -> str:
            with daemon_errors("a container can't be inspected"):
                state = self.client.inspect_container(ident)["State"]
            if state["Running"]:
                return ""
            codes.append(state["ExitCode"])
            why = state["Error"] or self.last_words(ident)
            return f"{name} ended with code {codes[-1]} before the agent answered: {why or 'it said nothing'}"

        try:
            return listener.accept(max(0.0, self.deadline - time.monotonic()), trouble)
        except RunnerFailed as error:
            if codes and codes[-1] < KILLED:
                raise Unfit(error.message) from error
            raise
