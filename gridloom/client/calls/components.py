"""Apps, engines, templates and caches."""

from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any, Literal

from gridloom.archives import pack_folder
from gridloom.client.answers.base import Done, Page
from gridloom.client.answers.components import App, CacheEntry, CacheUpload, Component, Engine, Template
from gridloom.client.calls.files import BytesMoved, fetch_bytes, ignore_bytes, send_file
from gridloom.client.calls.paths import call, change, fetch, fetch_page, given, paging, path_of, unwrap
from gridloom.client.steps import Json, Talk
from gridloom.errors import BadInput, ClientError

Kind = Literal["app", "engine"]
Shared = Literal["app", "engine", "template"]
Scope = Literal["user", "shared"]

_KINDS: dict[Kind, type[Component]] = {"app": App, "engine": Engine}
_CACHE = "/v1/dev/cache"


def push_component(kind: Kind, source: Path | bytes) -> Talk[Component]:
    """Upload an app's or engine's folder, or its archive (a tar, plain or gzip); a new version starts inactive.

    Raises:
        BadInput: when the folder holds no component.
    """
    if isinstance(source, Path) and not source.is_dir():
        raise BadInput(f"{source} is not a folder")
    archive = pack_folder(source) if isinstance(source, Path) else source
    body = {"data": b64encode(archive).decode()}
    answer = yield from call("POST", f"/v1/dev/{kind}s", body=body)
    return unwrap(_KINDS[kind], answer, kind)


def pull_component(kind: Kind, tag: str) -> Talk[bytes]:
    """Return the archive of an app or engine as it was pushed.

    Raises:
        ClientError: when the fabric gives neither a link nor the bytes.
    """
    answer = yield from call("GET", _component(kind, tag, "download"))
    link = str(answer.get("engineLink") or answer.get("link") or answer.get("message") or "")
    if link:
        return (yield from fetch_bytes(link))
    if answer.get("engineData"):
        return b64decode(str(answer["engineData"]))
    raise ClientError(f"the fabric gave no link to {tag}")


def component(kind: Kind, tag: str) -> Talk[Component]:
    """Return the record of an app or engine."""
    return (yield from fetch(_KINDS[kind], _component(kind, tag), member=kind))


def app(tag: str) -> Talk[App]:
    """Return the record of an app."""
    return (yield from fetch(App, _component("app", tag), member="app"))


def engine(tag: str) -> Talk[Engine]:
    """Return the record of an engine."""
    return (yield from fetch(Engine, _component("engine", tag), member="engine"))


def apps(*, limit: int = 100, offset: int = 0, order_by: str = "", public: bool = False) -> Talk[Page[App]]:
    """Return one page of the caller's apps, or of all public ones."""
    return (
        yield from fetch_page(App, "/v1/dev/apps", _listed(limit, offset, order_by, public=public), "apps")
    )


def engines(
    *, limit: int = 100, offset: int = 0, order_by: str = "", public: bool = False
) -> Talk[Page[Engine]]:
    """Return one page of the caller's engines, or of the built-in and public ones."""
    query = _listed(limit, offset, order_by, public=public)
    return (yield from fetch_page(Engine, "/v1/dev/engines", query, "engines"))


def activate(kind: Kind, tag: str) -> Talk[Done]:
    """Let jobs use an app or engine."""
    return (yield from change("POST", _component(kind, tag, "activate"), {}))


def deactivate(kind: Kind, tag: str) -> Talk[Done]:
    """Keep new jobs from using an app or engine."""
    return (yield from change("POST", _component(kind, tag, "deactivate"), {}))


def component_status(kind: Kind, tag: str) -> Talk[str]:
    """Return `active` or `inactive`."""
    answer = yield from call("GET", _component(kind, tag, "status"))
    return str(answer.get("engineStatus") or answer.get("message") or "")


def delete_component(kind: Kind, tag: str) -> Talk[Done]:
    """Delete one version of an app or engine."""
    return (yield from change("DELETE", _component(kind, tag)))


def publish(kind: Shared, tag: str) -> Talk[Done]:
    """Let every user of the fabric use an app, engine or template."""
    return (yield from change("POST", _component(kind, tag, "publish"), {}))


def unpublish(kind: Shared, tag: str) -> Talk[Done]:
    """Make an app, engine or template private again."""
    return (yield from change("POST", _component(kind, tag, "unpublish"), {}))


def import_component(kind: Kind, tag: str, *, user_name: str = "", name: str = "") -> Talk[Component]:
    """Copy another user's public app or engine into the caller's account, under another name if one is given."""
    body = given(userName=user_name, name=name)
    return unwrap(_KINDS[kind], (yield from call("POST", _component(kind, tag, "import"), body=body)), kind)


def push_template(template: Json) -> Talk[Done]:
    """Store a template, as template.json has it, or replace the one of that id."""
    return (yield from change("POST", "/v1/dev/templates", template))


def template(template_id: str) -> Talk[Template]:
    """Return a template."""
    return (yield from fetch(Template, path_of("/v1/dev/templates", template_id)))


def templates(
    *, limit: int = 100, offset: int = 0, order_by: str = "", public: bool = False
) -> Talk[Page[Template]]:
    """Return one page of the caller's templates, or of all public ones."""
    query = _listed(limit, offset, order_by, public=public)
    return (yield from fetch_page(Template, "/v1/dev/templates", query, "templates"))


def import_template(template_id: str, *, user_name: str = "", name: str = "") -> Talk[Template]:
    """Copy another user's public template into the caller's account, under another id if one is given."""
    body = given(userName=user_name, name=name)
    answer = yield from call("POST", path_of("/v1/dev/templates", template_id, "import"), body=body)
    return unwrap(Template, answer, "template")


def delete_template(template_id: str) -> Talk[Done]:
    """Delete a template."""
    return (yield from change("DELETE", path_of("/v1/dev/templates", template_id)))


def cache(
    path: str = "", *, scope: Scope = "user", limit: int = 100, offset: int = 0
) -> Talk[Page[CacheEntry]]:
    """Return one page of a cache folder's entries."""
    query = given(scope=scope, path=path) | paging(limit, offset)
    return (yield from fetch_page(CacheEntry, _CACHE, query, "entries"))


def upload_to_cache(
    file: Path, path: str = "", *, scope: Scope = "user", on_bytes: BytesMoved = ignore_bytes
) -> Talk[CacheUpload]:
    """Put a file into a cache, under its own name unless `path` says where; `on_bytes` is told of each step.

    Raises:
        ClientError: when the file can't be read, or the fabric gives no link to put it to.
    """
    try:
        size = file.stat().st_size
    except OSError as error:
        raise ClientError(f"cannot read {file}: {error.strerror or error}") from error
    body: dict[str, Any] = {"path": path or file.name, "size": str(size)}
    answer = yield from call("POST", _CACHE, body=body, query={"scope": scope})
    uploaded = CacheUpload(answer)
    if not uploaded.upload_url:
        raise ClientError("the fabric gave no link to upload the file to")
    yield from send_file(uploaded.upload_url, file, on_bytes)
    return uploaded


def delete_from_cache(path: str, *, scope: Scope = "user") -> Talk[Done]:
    """Delete a file or folder of a cache."""
    answer = yield from call("DELETE", _CACHE, query={"scope": scope, "path": path})
    return Done(answer)


def _component(kind: Shared, tag: str, *verb: str) -> str:
    return path_of(f"/v1/dev/{kind}s", tag, *verb)


def _listed(limit: int, offset: int, order_by: str, *, public: bool) -> Json:
    return paging(limit, offset, order_by) | ({"isPublic": "true"} if public else {})
