"""The runner whose slots are containers: an agent in each is PID 1 and forks the tasks.

The daemon makes and removes containers and stays out of a task's way. No part of a container is privileged, so images,
their interpreters included, may be hostile.
"""

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

import docker
import structlog
from docker.errors import APIError

from gridloom.errors import RunnerFailed
from gridloom.warmth import Isolation, Network
from worker.runners.agent_link import SOCKET_NAME, AgentLink, AgentOptions, Listener, arguments
from worker.runners.agent_slot import AgentSlot
from worker.runners.docker.assets import Assets, make
from worker.runners.docker.container import ContainerHome, discard, remove
from worker.runners.docker.daemon import Engine, Opener, daemon_errors, engine_of
from worker.runners.docker.image_store import Image
from worker.runners.docker.images import Images
from worker.runners.docker.seccomp import profile
from worker.runners.docker.spec import AGENT_AT, PYTHON_AT, Plan, Shown, config, scratch_of
from worker.runners.docker.sweep import CREATED, KEY, PREFIX, SLOT, WORKER, WorkerIdentity, sweep
from worker.runners.protocol import Capabilities, Grounds, ImageHad, ImageWanted, Slot, SlotFacts, SlotKey

log = structlog.get_logger(__name__)

NOBODY = 65534
CREATES_AT_ONCE = 4  #: more only make each of them slower
OPENS_WITHIN_S = 45.0
INTERPRETERS = ("python3", "python", "")  #: in this order; "" is the portable one
PORTABLE = "the portable interpreter"
UNSTARTABLE = ("executable file", "no such file", "permission denied", "exec format", "not a directory")


class Egress(Protocol):
    """What this runner needs of the network that leads out."""

    def network(self) -> str:
        """Return the name of the daemon's network."""


class Unfit(RunnerFailed):
    """Raised when an interpreter of an image can't be an agent, however often it is tried."""


class DockerRunner:
    """Opens slots in containers of one daemon, Docker or Podman.

    `assets` is a folder of this worker's own, below its scratch folder, for what all containers are shown. Sweeping
    at the start and each minute is the caller's to ask for.
    """

    def __init__(
        self, opener: Opener, grounds: Grounds, images: Images, egress: Egress, assets: Path
    ) -> None:
        self.capabilities = Capabilities(name="docker", isolation="container", memory_by_cgroup=True)
        self.identity = WorkerIdentity.of(os.getpid(), grounds.slots.parent)
        self._opener, self._grounds, self._images, self._egress = opener, grounds, images, egress
        self._assets = Assets(assets)
        self._uid = NOBODY if os.geteuid() == 0 else None
        self._idle: list[docker.APIClient] = []
        self._known: set[str] = set()
        self._fitting: dict[str, str] = {}
        self._volumes: dict[str, tuple[str, ...]] = {}
        self._creating = threading.BoundedSemaphore(CREATES_AT_ONCE)

    def have_image(self, wanted: ImageWanted, go_on: Callable[[], bool]) -> ImageHad:
        """Make sure that an image is here, for as long as `go_on` says so.

        Raises:
            AttemptFailed: when it can't be had (image_unavailable).
            RunnerFailed: when the daemon is out of order.
        """
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
        with self._creating:
            deadline = time.monotonic() + OPENS_WITHIN_S
            for interpreter in INTERPRETERS[first:]:
                try:
                    slot = self._open(key, image, network, interpreter, deadline)
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
            with self._client() as client, daemon_errors("containers can't be listed"):
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
        """Close the connections to the daemon; slots are closed by who opened them."""
        while self._idle:
            self._idle.pop().close()

    def _open(self, key: SlotKey, image: Image, network: str, interpreter: str, deadline: float) -> AgentSlot:
        name = f"{PREFIX}{secrets.token_hex(8)}"
        with contextlib.ExitStack() as undo:
            gone = self._enter(name, key.image)
            undo.callback(gone)
            try:
                plan = self._plan(key, name, image, network, interpreter)
                make(plan.folder)
                undo.callback(discard, plan.folder)
                listener = Listener(plan.folder)
            except OSError as error:
                raise RunnerFailed(f"a slot's folders can't be made: {error}") from error
            undo.callback(listener.close)
            home = ContainerHome(
                self._client, self._create(plan), plan.folder, network=bool(network), gone=gone
            )
            undo.callback(home.destroy)
            self._start(home.ident, interpreter)
            link = self._agent(listener, home, interpreter, deadline)
            undo.pop_all()
        home.moved_in(link.pid)
        hello = link.hello
        if not hello.nested:
            log.warning("tasks_share_a_container", image=key.image, why=hello.why_not)
        isolation = "container+namespaces" if hello.nested else "container"
        facts = SlotFacts(isolation=isolation, image=key.image, python=hello.python)
        return AgentSlot(link, home, facts, uid=self._uid, python=interpreter or INTERPRETERS[0])

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

    def _create(self, plan: Plan) -> str:
        with self._client() as client, daemon_errors("a container can't be made"):
            ident: str = client.create_container_from_config(config(plan), name=plan.name)["Id"]
        return ident

    def _start(self, ident: str, interpreter: str) -> None:
        """Start a container, with an error of its own for an image that lacks the interpreter."""
        with self._client() as client, daemon_errors("a container can't be started"):
            try:
                client.start(ident)
            except APIError as error:
                why = str(error.explanation or error)
                if any(it in why.lower() for it in UNSTARTABLE):
                    raise Unfit(f"{interpreter or PORTABLE} can't be started: {why.strip()}") from error
                raise

    def _agent(self, listener: Listener, home: ContainerHome, interpreter: str, deadline: float) -> AgentLink:
        """Wait for the agent; one that ends by itself can't be had from this interpreter."""
        name = interpreter or PORTABLE
        ended: list[int] = []

        def trouble() -> str:
            state = home.state()
            if state["Running"]:
                return ""
            ended.append(state["ExitCode"])
            return f"{name} ended with code {state['ExitCode']} before the agent answered {state['Error']}".strip()

        try:
            return listener.accept(max(0.0, deadline - time.monotonic()), trouble)
        except RunnerFailed as error:
            if ended and ended[0] < 128:
                raise Unfit(error.message) from error
            raise

    def _plan(self, key: SlotKey, name: str, image: Image, network: str, interpreter: str) -> Plan:
        grounds, owner = self._grounds, key.owner or "nobody"
        folder, components = grounds.slots / name, grounds.components / owner
        cache = grounds.user_caches / owner
        for shown in (components, grounds.shared_cache, cache):
            make(shown)
        if self._uid is not None and cache.stat().st_uid != self._uid:
            os.chown(cache, self._uid, self._uid)
        command, portable = ((interpreter,), ()) if interpreter else self._portable()
        options = AgentOptions(
            scratch_mib=scratch_of(key),
            shared_tmp=key.isolation in {Isolation.JOB, Isolation.APP},
            components=str(components),
            portable=not interpreter,
        )
        uid, gid = (NOBODY, NOBODY) if self._uid is not None else (os.geteuid(), os.getegid())
        return Plan(
            name=name,
            image=image.id,
            env=image.env,
            volumes=self._volumes_of(image),
            key=key,
            command=(*command, *arguments(AGENT_AT, SOCKET_NAME, options)),
            folder=folder,
            shown=(
                Shown(source=folder, writable=True),
                Shown(source=cache, writable=True),
                Shown(source=components),
                Shown(source=grounds.shared_cache),
                Shown(source=self._assets.agent(), at=AGENT_AT),
                *portable,
            ),
            user=f"{uid}:{gid}",
            network=network,
            labels=self._labels(name, key),
            security=self._security,
        )

    def _labels(self, name: str, key: SlotKey) -> dict[str, str]:
        return {
            WORKER: str(self.identity),
            SLOT: name,
            KEY: f"{key.owner}/{key.component or '*'}/{key.isolation}",
            CREATED: datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _volumes_of(self, image: Image) -> tuple[str, ...]:
        if image.id not in self._volumes:
            with self._client() as client, daemon_errors("an image can't be inspected"):
                wishes = client.inspect_image(image.id)["Config"] or {}
            self._volumes[image.id] = tuple(sorted(wishes.get("Volumes") or ()))
        return self._volumes[image.id]

    @cached_property
    def _security(self) -> tuple[str, ...]:
        """The daemon's security options: Docker takes a seccomp profile inline, Podman a file's path."""
        with self._client() as client, daemon_errors("the daemon does not describe itself"):
            engine, options = engine_of(client), client.info().get("SecurityOptions") or ()
        # Docker's AppArmor profile forbids every mount, nested ones too; namespaces hold without it.
        apparmor = ("apparmor=unconfined",) if any("apparmor" in it for it in options) else ()
        if engine is Engine.DOCKER:
            return (f"seccomp={profile()}", *apparmor)
        return (f"seccomp={self._assets.seccomp()}", "unmask=ALL", *apparmor)

    def _portable(self) -> tuple[tuple[str, ...], tuple[Shown, ...]]:
        python = self._assets.python()
        return python.argv(PYTHON_AT), (Shown(source=python.folder, at=PYTHON_AT),)

    @contextlib.contextmanager
    def _client(self) -> Iterator[docker.APIClient]:
        """Lend a client to this thread; they are kept, since opening one takes a call."""
        try:
            client = self._idle.pop()
        except IndexError:
            client = self._opener()
        try:
            yield client
        finally:
            self._idle.append(client)
