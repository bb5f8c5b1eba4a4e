"""Tests of uploads and downloads; every one with both clients."""

from decimal import Decimal

import httpx
import pytest

from gridloom.client import Result
from gridloom.client.calls.files import place
from gridloom.errors import ClientError, Unreachable

LINK = "http://fabric.test/d?s=1"
UP = {"job": {"dataSource": {"params": {"tempUrl": "http://fabric.test/up?s=1"}}}}
AWAY = httpx.ConnectError("refused")


class Broken(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that breaks off."""

    def __init__(self, *blocks):
        self.blocks = blocks

    def __iter__(self):
        yield from self.blocks
        raise httpx.ReadError("cut")

    async def __aiter__(self):
        for block in self.blocks:
            yield block
        raise httpx.ReadError("cut")


def result(name="a"):
    return Result({"name": name, "url": LINK, "size": "6"})


def test_a_file_goes_up_in_four_steps(script, connect, tmp_path):
    file = tmp_path / 'ä "x".txt'
    file.write_bytes(b"x" * 300_000)
    moved = []
    script.answers = [UP, (200, b""), {}]
    connect().do("upload_source", "j", file, moved.append)
    put = script.seen[2]
    assert (put.method, put.url.query, len(put.content)) == ("PUT", b"s=1", 300_000)
    assert "Authorization" not in put.headers
    assert put.headers["Content-Length"] == "300000"
    assert put.headers["Content-Disposition"] == (
        "attachment; filename=\"? _x_.txt\"; filename*=UTF-8''%C3%A4%20%22x%22.txt"
    )
    assert script.seen[3].url.path == "/v1/customer/jobs/j/uploadcompleted"
    assert sum(moved) == 300_000


def test_an_upload_starts_again_when_the_fabric_goes_away(script, connect, tmp_path, no_waiting):
    (tmp_path / "a").write_bytes(b"x" * 10)
    moved = []
    script.answers = [UP, AWAY, (200, b""), {}]
    connect().do("upload_source", "j", tmp_path / "a", moved.append)
    assert (sum(moved), len(no_waiting)) == (10, 1)
    assert script.seen[3].content == b"x" * 10


def test_a_refused_upload_and_a_missing_file_are_errors(script, connect, tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    script.answers = [UP, (413, {"message": "too large"}), UP]
    client = connect()
    with pytest.raises(ClientError, match="too large"):
        client.do("upload_source", "j", tmp_path / "a")
    with pytest.raises(ClientError, match="cannot read"):
        client.do("upload_source", "j", tmp_path / "b")


def test_a_file_comes_down_under_its_name(script, connect, tmp_path):
    script.answers = [(200, b"data")]
    path = connect().do("download_result", result("out_0/a.txt"), tmp_path)
    assert path == tmp_path / "out_0/a.txt"
    assert path.read_bytes() == b"data"
    assert "Authorization" not in script.seen[0].headers


def moved_to(location):
    return httpx.Response(307, headers={"Location": location})


def test_a_link_that_leads_to_another_server_is_followed_without_a_token(
    script, connect, tmp_path, no_waiting
):
    bucket = "http://bucket.test/d?X-Amz-Signature=1"
    broken = httpx.Response(200, stream=Broken(b"abc"))
    script.answers = [moved_to("/e"), moved_to(bucket), broken, moved_to(bucket), (206, b"def")]
    assert connect().do("download_result", result(), tmp_path).read_bytes() == b"abcdef"
    assert [str(it.url) for it in script.seen] == [LINK, "http://fabric.test/e", bucket, LINK, bucket]
    assert [it.headers.get("Range") for it in script.seen] == [None, None, None, "bytes=3-", "bytes=3-"]
    assert not any("Authorization" in it.headers for it in script.seen)


@pytest.mark.parametrize(
    ("location", "problem"), [("/again", "more than 5 times"), ("file:///etc/passwd", "is no URL")]
)
def test_redirects_lead_to_an_end_and_to_servers_alone(script, connect, tmp_path, location, problem):
    script.answers = [moved_to(location) for _ in range(6)]
    with pytest.raises(ClientError, match=problem):
        connect().do("download_result", result(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_download_goes_on_where_it_broke(script, connect, tmp_path, no_waiting):
    moved = []
    script.answers = [httpx.Response(200, stream=Broken(b"abc")), AWAY, (206, b"def")]
    assert connect().do("download_result", result(), tmp_path, moved.append).read_bytes() == b"abcdef"
    assert [it.headers.get("Range") for it in script.seen] == [None, "bytes=3-", "bytes=3-"]
    assert sum(moved) == 6


def test_a_download_starts_again_where_ranges_are_not_known(script, connect, tmp_path, no_waiting):
    moved = []
    script.answers = [httpx.Response(200, stream=Broken(b"abc")), (200, b"abcdef")]
    assert connect().do("download_result", result(), tmp_path, moved.append).read_bytes() == b"abcdef"
    assert sum(moved) == 6


def test_a_cut_download_leaves_nothing(script, connect, tmp_path):
    script.answers = [httpx.Response(200, stream=Broken(b"abc"))]
    with pytest.raises(Unreachable, match="cut"):
        connect(patience_s=0).do("download_result", result(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_expired_link_is_an_error(script, connect, tmp_path):
    script.answers = [(403, {"message": "the link has expired"})]
    client = connect()
    with pytest.raises(ClientError, match="the link has expired"):
        client.do("download_result", result(), tmp_path)
    with pytest.raises(ClientError, match="no URL"):
        client.do("download_result", Result({"name": "a", "link": "file:///etc/passwd"}), tmp_path)


@pytest.mark.parametrize("name", ["", "/etc/x", "../x", "a/../../x", "a//b", "./a", "a/", "a\0b", "link/x"])
def test_names_that_lead_out_are_refused(tmp_path, name):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(ClientError, match="does not belong below"):
        place(folder, name)


def test_a_link_in_the_place_of_a_result_is_replaced(script, connect, tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.write_bytes(b"kept")
    folder.mkdir()
    (folder / "a").symlink_to(outside)
    script.answers = [(200, b"new")]
    connect().do("download_result", result(), folder)
    assert outside.read_bytes() == b"kept"
    assert (folder / "a").read_bytes() == b"new"


def test_results_are_read_to_the_last_page_and_collected(script, connect):
    first = {"results": [{"name": "a", "link": LINK}], "pagination": {"hasNext": True}}
    second = {"results": [{"name": "b", "link": LINK}], "pagination": {"hasNext": False}}
    script.answers = [first, second, (200, b"A"), (200, b"B")]
    assert [(it.name, it.text) for it in connect().do("collect", "j")] == [("a", "A"), ("b", "B")]
    assert b"pagination.offset=1" in script.seen[2].url.query


def test_a_component_is_pulled_by_its_link_or_its_bytes(script, connect):
    script.answers = [{"message": LINK}, (200, b"tar"), {"engineData": "dGFy"}]
    client = connect()
    assert client.do("pull_component", "app", "a") == b"tar"
    assert client.do("pull_component", "engine", "e") == b"tar"


def test_a_cache_file_goes_up(script, connect, tmp_path):
    (tmp_path / "w.bin").write_bytes(b"x" * 5)
    script.answers = [{"uploadUrl": "http://fabric.test/c"}, (200, b"")]
    connect().do("upload_to_cache", tmp_path / "w.bin", "models/w.bin")
    assert script.calls[0][2] == {"path": "models/w.bin", "size": "5"}
    assert script.seen[2].content == b"x" * 5


def test_amounts_go_out_as_text(script, connect):
    script.answers = [{"url": "http://pay"}]
    assert connect().do("top_up", Decimal("0.00000001")).url == "http://pay"
    assert script.calls[0][2] == {"amount": "1E-8"}
