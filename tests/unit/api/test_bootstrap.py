import json
import stat

import pytest

from api.app import close_context, open_context
from engines.catalog import builtin_packages
from gridloom.tags import parse_tag
from storage.repositories import components
from storage.repositories.components import ENGINES
from storage.spans import Span


@pytest.fixture
def started(database_url):
    """Return the URL of an empty database instead of one that a control plane was started on before."""
    return database_url


def test_the_first_start_writes_a_key_that_works(anonymous, settings):
    path = settings.bootstrap_file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    written = json.loads(path.read_text())
    assert (written["url"], written["userName"]) == ("http://127.0.0.1:8080", "admin")
    answer = anonymous.post("/v1/auth/access_token", json={"apiKey": written["apiKey"]})
    assert answer.status_code == 200
    assert [it.name for it in path.parent.iterdir() if "credentials" in it.name] == [path.name]


def test_a_later_start_leaves_account_and_file_alone(settings):
    close_context(open_context(settings))
    before = settings.bootstrap_file.read_text()
    close_context(open_context(settings))
    assert settings.bootstrap_file.read_text() == before


def test_a_start_that_crashed_after_writing_the_file_is_repaired(settings):
    settings.bootstrap_file.write_text("{}")
    close_context(open_context(settings))
    assert json.loads(settings.bootstrap_file.read_text())["apiKey"].startswith("glk_")


def test_every_built_in_engine_is_there_active_and_public_and_stored_once(settings):
    for _ in range(2):
        context = open_context(settings)
        with context.database.read() as connection:
            rows, total = components.listed(connection, "", ENGINES, public=True, span=Span(limit=100))
            zipper = components.resolve(connection, parse_tag("zipper"), ENGINES, "", only_active=True)
        assert total == len(builtin_packages())
        assert {row.revision for row in rows} == {1}
        assert all(row.active and row.is_public and row.owner_id is None for row in rows)
        assert {row.name for row in rows if row.passthrough} == {"passthrough"}
        assert context.store.get_bytes(zipper.archive_key)
        close_context(context)
