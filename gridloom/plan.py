"""A job's plan: what `run` resolved and froze, so that a later upload can't change a running job."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gridloom.devices import Needs
from gridloom.sources import SourceSpec
from gridloom.states import Stage
from gridloom.wire import ComponentRef


class PlannedStage(BaseModel):
    """One building block as it will run; `passthrough` ones never start a process.

    The login of a private image stays with the component, and secrets are named only: a plan is kept for as long as
    its job is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    component: ComponentRef
    needs: Needs
    params: dict[str, Any]
    passthrough: bool = False
    private_image: bool = False
    secrets: tuple[str, ...] = ()


DELIVERY = PlannedStage(
    component=ComponentRef(
        id="deliver",
        owner_id="",
        name="deliver",
        version="",
        revision=0,
        entrypoint="",
        image="",
        archive_key="",
        digest="",
    ),
    needs=Needs(cores=1, memory_mib=256),
    params={},
    passthrough=True,
)  #: the fabric's own: the same for every job whose output is moved


class JobPlan(BaseModel):
    """The three stages, where input comes from and where output goes; timeouts in seconds, None means none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    partitioner: PlannedStage
    app: PlannedStage
    assembler: PlannedStage
    source: SourceSpec
    destination: str
    destination_params: dict[str, Any] = Field(default={}, repr=False)
    task_timeout_s: float | None = None
    job_timeout_s: float | None = None
    max_task_retries: int = 0
    reuse: bool = False

    def stage(self, stage: Stage) -> PlannedStage:
        """Return the building block of a stage."""
        return {
            Stage.PARTITION: self.partitioner,
            Stage.APP: self.app,
            Stage.ASSEMBLE: self.assembler,
            Stage.DELIVER: DELIVERY,
        }[stage]
