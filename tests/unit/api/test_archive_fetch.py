import http.server
import threading

import pytest

from api import archive_fetch
from api.archive_fetch import fetch_archive
from gridloom.errors import BadInput, Unavailable
from gridloom.settings import Settings
from storage.sources.url import Conditions

HASTY = Conditions(connect_s=1, read_s=1, total_s=2, tries=1)


@pytest.fixture
def served():
    """Yield the base URL of a server on the loopback, which counts its visitors."""
    visits = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            visits.append(self.path)
            self.send_response(404 if self.path == "/none" else 200)
            self.end_headers()
            self.wfile.write(b"x" * (2_000_000 if self.path == "/big" else 5))

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", visits
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_archive_is_fetched_where_the_operator_allows(served):
    base, _ = served
    settings = Settings(allow_private_hosts="127.0.0.1")
    assert fetch_archive(f"{base}/a.tar", settings, HASTY) == b"xxxxx"


def test_a_private_address_is_never_visited(served):
    base, visits = served
    for url in (f"{base}/a.tar", base.replace("127.0.0.1", "2130706433"), "file:///etc/passwd", "nonsense"):
        with pytest.raises(BadInput) as caught:
            fetch_archive(url, Settings(), HASTY)
        assert caught.value.field == "engineLink"
    assert visits == []


@pytest.mark.parametrize(("path", "told"), [("/big", "limit"), ("/none", "404")])
def test_what_can_not_be_had_or_is_too_large_is_told(served, path, told):
    base, _ = served
    settings = Settings(allow_private_hosts="127.0.0.1", max_body_mib=1)
    with pytest.raises(BadInput, match=told):
        fetch_archive(f"{base}{path}", settings, HASTY)


def test_slow_servers_do_not_hold_all_threads(monkeypatch):
    monkeypatch.setattr(archive_fetch, "_room", threading.BoundedSemaphore(1))
    archive_fetch._room.acquire()
    with pytest.raises(Unavailable, match="too many archives"):
        fetch_archive("http://fabric.test/a.tar", Settings(), HASTY)
