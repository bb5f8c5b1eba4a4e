"""/datasource/test: look at a data source before a job uses it."""

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter

from api.deps import ContextDep, TurnDep
from api.json_route import JsonRoute
from api.shapes.sources import (
    DataSourceDirectory,
    DataSourceFile,
    TestDataSourceRequest,
    TestDataSourceResponse,
)
from gridloom.net_guard import PrivateHosts
from storage.sources.probes import Found, probe_source

router = APIRouter(route_class=JsonRoute, tags=["Data sources"])

# Threads of their own: a server that answers slowly must not use up those of other calls.
_looks = CapacityLimiter(16)


@router.post("/datasource/test")
@router.post("/datasource/info", deprecated=True)
@router.post("/jobs/datasource/info", deprecated=True)
async def look_at_source(
    body: TestDataSourceRequest, context: ContextDep, _: TurnDep
) -> TestDataSourceResponse:
    """Look at a data source: whether it is there, its name and its size. A bucket is no source."""
    source, allow = body.data_source, PrivateHosts.parse(context.settings.allow_private_hosts)
    found = await to_thread.run_sync(
        probe_source, source.data_source_descriptor, source.params, allow, limiter=_looks
    )
    return TestDataSourceResponse(
        filename=found.name,
        path=found.path,
        size=found.size or 0,
        properties=found.properties,
        temp_url=found.url,
        files=_tree(found) if body.list_files else None,
    )


def _tree(found: Found) -> DataSourceDirectory:
    file = DataSourceFile(id=found.path, name=found.name, path=found.path, size=found.size or 0)
    return DataSourceDirectory(name="", path="", files=[file] if found.name else [])
