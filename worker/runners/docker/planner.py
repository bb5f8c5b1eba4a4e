"""Planning containers: what each shows of this machine, who it is, and the options that this daemon needs."""

import os
import threading
from datetime import UTC, datetime

import docker

from gridloom.warmth import Isolation
from worker.runners.agent_link import SOCKET_NAME, AgentOptions, arguments
from worker.runners.docker.assets import Assets, make
from worker.runners.docker.daemon import Engine, daemon_errors, engine_of
from worker.runners.docker.image_store import Image
from worker.runners.docker.seccomp import profile
from worker.runners.docker.spec import AGENT_AT, PYTHON_AT, Plan, Shown, scratch_of
from worker.runners.docker.sweep import CREATED, KEY, SLOT, WORKER, WorkerIdentity
from worker.runners.protocol import Grounds, SlotKey

NOBODY = 65534


class Planner:
    """Plans the containers of one worker on one daemon.

    `uid` is the user to whom folders are given that tasks write to, None where that is the worker's own.
    """

    def __init__(self, grounds: Grounds, assets: Assets, identity: WorkerIdentity) -> None:
        self._grounds, self._assets, self._identity = grounds, assets, identity
        self.uid = NOBODY if os.geteuid() == 0 else None
        self._lock = threading.Lock()
        self._security: tuple[str, ...] | None = None
        self._volumes: dict[str, tuple[str, ...]] = {}

    def plan(
        self, client: docker.APIClient, key: SlotKey, name: str, image: Image, interpreter: str, network: str
    ) -> Plan:
        """Plan a container; the folders that it shows are made. Without `interpreter` it gets the portable one.

        Raises:
            RunnerFailed: when the daemon does not tell what is needed for it.
            OSError: when a folder can't be made.
        """
        grounds, owner = self._grounds, key.owner or "nobody"
        components, cache = grounds.components / owner, grounds.user_caches / owner
        for folder in (components, grounds.shared_cache, cache):
            make(folder)
        if self.uid is not None and cache.stat().st_uid != self.uid:
            os.chown(cache, self.uid, self.uid)
        shown = [
            Shown(source=grounds.slots / name, writable=True),
            Shown(source=cache, writable=True),
            Shown(source=components),
            Shown(source=grounds.shared_cache),
            Shown(source=self._assets.agent(), at=AGENT_AT),
        ]
        command: tuple[str, ...] = (interpreter,)
        if not interpreter:
            portable = self._assets.python()
            command = portable.argv(PYTHON_AT)
            shown.append(Shown(source=portable.folder, at=PYTHON_AT))
        options = AgentOptions(
            scratch_mib=scratch_of(key),
            shared_tmp=key.isolation in {Isolation.JOB, Isolation.APP},
            components=str(components),
            portable=not interpreter,
        )
        user = (os.geteuid(), os.getegid()) if self.uid is None else (self.uid, self.uid)
        return Plan(
            name=name,
            image=image.id,
            env=image.env,
            volumes=self._volumes_of(client, image),
            key=key,
            command=(*command, *arguments(AGENT_AT, SOCKET_NAME, options)),
            folder=grounds.slots / name,
            shown=tuple(shown),
            user="{}:{}".format(*user),
            network=network,
            labels=self._labels(key, name),
            security=self._options(client),
        )

    def _labels(self, key: SlotKey, name: str) -> dict[str, str]:
        return {
            WORKER: str(self._identity),
            SLOT: name,
            KEY: f"{key.owner}/{key.component or '*'}/{key.isolation}",
            CREATED: datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _volumes_of(self, client: docker.APIClient, image: Image) -> tuple[str, ...]:
        if image.id not in self._volumes:
            with daemon_errors("an image can't be inspected"):
                wishes = client.inspect_image(image.id)["Config"] or {}
            self._volumes[image.id] = tuple(sorted(wishes.get("Volumes") or ()))
        return self._volumes[image.id]

    def _options(self, client: docker.APIClient) -> tuple[str, ...]:
        """Return the daemon's security options: Docker takes a seccomp profile inline, Podman a file's path."""
        with self._lock:
            if self._security is None:
                with daemon_errors("the container daemon does not describe itself"):
                    options = client.info().get("SecurityOptions") or ()
                # Docker's AppArmor profile forbids every mount, nested ones too; namespaces hold without it.
                apparmor = ("apparmor=unconfined",) if any("apparmor" in it for it in options) else ()
                if engine_of(client) is Engine.PODMAN:
                    self._security = (f"seccomp={self._assets.seccomp()}", "unmask=ALL", *apparmor)
                else:
                    self._security = (f"seccomp={profile()}", *apparmor)
            return self._security
