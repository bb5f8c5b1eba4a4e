"""/datasource/test: look at a data source or destination before a job uses it."""

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter

from api.context import Context
from api.deps import CallerDep, ContextDep, TurnDep
from api.end_places import is_bucket, open_params
from api.json_route import JsonRoute
from api.shapes.base import DataSource
from api.shapes.sources import Permissions, TestDataSourceRequest, TestDataSourceResponse
from api.source_trees import tree_of
from gridloom.errors import BadInput
from gridloom.net_guard import PrivateHosts
from storage.bucket_params import BucketParams
from storage.destinations.catalog import check_destination
from storage.destinations.probes import probe_bucket
from storage.probing import Found, Look
from storage.repositories.inline_credentials import End
from storage.sources.bucket_probes import probe_objects
from storage.sources.catalog import check_source
from storage.sources.probes import probe_source

router = APIRouter(route_class=JsonRoute, tags=["Data sources"])

# Threads of their own: a server that answers slowly must not use up those of other calls.
_looks = CapacityLimiter(16)


@router.post("/datasource/test")
@router.post("/datasource/info", deprecated=True)
@router.post("/jobs/datasource/info", deprecated=True)
async def look_at_source(
    body: TestDataSourceRequest, context: ContextDep, caller: CallerDep, _: TurnDep
) -> TestDataSourceResponse:
    """Look at a data source or a destination: whether it can be reached, what may be done there, what it holds.

    Of a destination it is tried whether a file can be written; that is deleted again. A bucket is no source.
    """
    # The tree of a large page takes its time too.
    return await to_thread.run_sync(_answer, body, context, caller.account_id, limiter=_looks)


def _answer(body: TestDataSourceRequest, context: Context, account_id: str) -> TestDataSourceResponse:
    found = _look(body, context, account_id)
    return TestDataSourceResponse(
        filename=found.name,
        path=found.path,
        size=found.size or 0,
        properties=found.properties,
        temp_url=found.url,
        files=tree_of(found.files) if body.list_files else None,
        reachable=True,
        permissions=Permissions.model_validate(found.outcome.permissions),
        count=len(found.files.files),
        total_size=found.files.size,
        truncated=found.files.truncated,
        after=found.files.after,
        problems=list(found.outcome.problems),
    )


def _look(body: TestDataSourceRequest, context: Context, account_id: str) -> Found:
    allow = PrivateHosts.parse(context.settings.allow_private_hosts)
    look = Look(path=body.path, after=body.after, limit=body.limit or Look().limit)
    match body.data_source, body.data_destination:
        case DataSource() as source, None:
            check_source(source.data_source_descriptor, source.params, allow)
            if not is_bucket(source.data_source_descriptor):
                return probe_source(source.data_source_descriptor, source.params, allow)
            params = _opened(context, account_id, "data_source", source, allow)
            return probe_objects(params, look, allow)
        case None, DataSource() as destination:
            check_destination(destination.data_source_descriptor, destination.params, allow)
            if not is_bucket(destination.data_source_descriptor):
                return Found(name="", path="", size=None)
            params = _opened(context, account_id, "data_destination", destination, allow)
            return probe_bucket(params, look, allow)
    raise BadInput("give a dataSource or a dataDestination, one of them", field="dataSource")


def _opened(
    context: Context, account_id: str, end: End, given: DataSource, allow: PrivateHosts
) -> BucketParams:
    with context.database.read() as connection:
        return open_params(
            connection,
            context.vault,
            account_id,
            end=end,
            descriptor=given.data_source_descriptor,
            params=given.params,
            allow=allow,
        )
