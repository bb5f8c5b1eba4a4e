"""Component archives: what is taken, what is refused, and that nothing leaves the folder."""

import contextlib
import gzip
import io
import os
import tarfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloom.archives import (
    ArchiveLimits,
    ComponentArchive,
    pack_component,
    pack_folder,
    read_component,
    unpack_component,
)
from gridloom.errors import BadArchive, TooLarge

MANIFEST = {"manifest.json": b"{}"}


def tar_of(*entries: tarfile.TarInfo | tuple[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as tar:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry)
            else:
                info = tarfile.TarInfo(entry[0])
                info.size = len(entry[1])
                tar.addfile(info, io.BytesIO(entry[1]))
    return packed.getvalue()


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_common_format_is_read(form: int) -> None:
    long = f"app/{'d' * 90}/{'n' * 90}.py"
    archive = read_component(tar_of(("manifest.json", b"{}"), (long, b"x" * 1000), form=form))
    assert archive.files == {"manifest.json": b"{}", long: b"x" * 1000}


def test_gzip_is_read() -> None:
    packed = gzip.compress(tar_of(("manifest.json", b"{}"), ("app/main.py", os.urandom(300_000))))
    assert len(read_component(packed).require("app/main.py")) == 300_000


def test_one_top_folder_is_dropped() -> None:
    data = tar_of(
        special("./hello", tarfile.DIRTYPE), ("./hello/manifest.json", b"{}"), ("hello/app/main.py", b"1")
    )
    assert read_component(data).files == {"manifest.json": b"{}", "app/main.py": b"1"}


def test_what_macos_adds_is_left_out() -> None:
    data = tar_of(("._hello", b"x"), ("hello/.DS_Store", b"x"), ("hello/manifest.json", b"{}"))
    assert read_component(data).files == MANIFEST


def test_a_pax_global_header_is_ignored() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", pax_headers={"comment": "1234", "path": "/etc/x"}) as tar:
        tar.addfile(tarfile.TarInfo("manifest.json"))
    assert read_component(packed.getvalue()).files == {"manifest.json": b""}


def test_an_archive_cut_at_a_member_still_reads_like_other_tools_do() -> None:
    assert read_component(tar_of(("manifest.json", b"{}"))[:1024]).files == MANIFEST


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("/etc/passwd", "absolute"),
        ("../evil", "out of its folder"),
        ("app/../../evil", "out of its folder"),
        ("app/..", "out of its folder"),
        ("app\\evil", "backslash"),
        ("app/e\nvil", "control character"),
        ("app/e\x9bvil", "control character"),
        ("n" * 256, "too long"),
        ("/".join(["d" * 200] * 21), "too long"),
        (".", "without a name"),
    ],
)
def test_a_hostile_name_is_refused_and_named(name: str, problem: str) -> None:
    with pytest.raises(BadArchive, match=problem) as caught:
        read_component(tar_of(("manifest.json", b"{}"), (name, b"")))
    assert caught.value.field == "data"
    assert ascii(name)[1:60].rstrip("'") in caught.value.message


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "character device"),
        (tarfile.BLKTYPE, "block device"),
        (tarfile.FIFOTYPE, "fifo"),
        (tarfile.GNUTYPE_SPARSE, "sparse"),
        (b"V", "unknown kind"),
    ],
)
def test_only_files_and_folders_are_taken(kind: bytes, problem: str) -> None:
    with pytest.raises(BadArchive, match=f"app/it' is .*{problem}"):
        read_component(tar_of(("manifest.json", b"{}"), special("app/it", kind, "manifest.json")))


def test_a_pax_sparse_file_is_refused() -> None:
    info = tarfile.TarInfo("app/huge")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.realsize": "99999999999"}
    with pytest.raises(BadArchive, match="sparse"):
        read_component(tar_of(("manifest.json", b"{}"), info))


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("a", "a"), "occurs twice"),
        (("a", "./a"), "occurs twice"),
        (("a", "a/b"), "below a file"),
        (("a/b", "a"), "both a file and a folder"),
        (("a/b/c", "a/b"), "both a file and a folder"),
    ],
)
def test_clashing_names_are_refused(names: tuple[str, str], problem: str) -> None:
    with pytest.raises(BadArchive, match=problem):
        read_component(tar_of(("manifest.json", b"{}"), *((name, b"") for name in names)))


def test_a_missing_manifest_or_entrypoint_is_named() -> None:
    with pytest.raises(BadArchive, match=r"lacks manifest\.json"):
        read_component(tar_of(("app/main.py", b"")))
    with pytest.raises(BadArchive, match=r"lacks app/main\.py"):
        read_component(tar_of(("manifest.json", b"{}"))).require("app/main.py")


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04" + bytes(600), b"not a tar" * 200, bytes(10240), b"\x1f\x8b"]
)
def test_what_is_no_tar_is_refused(data: bytes) -> None:
    with pytest.raises(BadArchive):
        read_component(data)


@pytest.mark.parametrize("length", [700, 1100, 1600])
def test_a_cut_off_archive_is_refused(length: int) -> None:
    whole = tar_of(("app/main.py", b"x" * 600), ("manifest.json", b"{}"))
    with pytest.raises(BadArchive, match=r"cut off|damaged|lacks"):
        read_component(whole[:length])


def test_a_cut_off_or_damaged_gzip_is_refused() -> None:
    whole = gzip.compress(tar_of(("manifest.json", b"{}"), ("blob", os.urandom(5000))))
    damaged = bytearray(whole)
    damaged[-6] ^= 1
    for data in (whole[:2000], whole[:-4], bytes(damaged)):
        with pytest.raises(BadArchive, match=r"cut off|damaged"):
            read_component(data)


def test_a_bomb_is_stopped_at_the_limit() -> None:
    limits = ArchiveLimits(unpacked_bytes=1_000_000)
    squeeze = zlib.compressobj(9, wbits=31)
    bomb = squeeze.compress(tar_of(("manifest.json", b"{}"), ("zeros", bytes(30_000_000)))) + squeeze.flush()
    assert len(bomb) < 100_000
    with pytest.raises(BadArchive, match="unpacks to more than 1000000 bytes"):
        read_component(bomb, limits)


def test_a_lying_size_is_refused() -> None:
    info = tarfile.TarInfo("manifest.json")
    info.size = 8 * 1024**4
    header = info.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(BadArchive, match="unpacks to more"):
        read_component(header + bytes(1024))
    info.size = 10_000
    with pytest.raises(BadArchive, match="cut off"):
        read_component(info.tobuf() + bytes(1024))


def test_too_many_members_are_refused() -> None:
    data = tar_of(("manifest.json", b"{}"), *((f"f{i}", b"") for i in range(10)))
    with pytest.raises(BadArchive, match="more than 10 members"):
        read_component(data, ArchiveLimits(members=10))


def test_packing_is_deterministic_and_keeps_the_executable_flag() -> None:
    files = {"manifest.json": b"{}", "app/run": b"#!"}
    packed = pack_component(files, {"app/run"})
    assert packed == pack_component(dict(reversed(files.items())), ["app/run"])
    assert read_component(packed) == ComponentArchive(files=files, executable=frozenset({"app/run"}))


def test_packing_refuses_names_that_reading_would_refuse() -> None:
    for name in ("../x", "a//b", "/x", "a\udc80"):
        with pytest.raises(BadArchive):
            pack_component(MANIFEST | {name: b""})


def test_a_folder_is_packed_without_caches(tmp_path: Path) -> None:
    for name in ("manifest.json", "app/main.py", ".git/config", "app/__pycache__/main.pyc", ".DS_Store"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "app/main.py").chmod(0o755)
    archive = read_component(pack_folder(tmp_path))
    assert {"manifest.json", "app/main.py"} == set(archive.files)
    assert {"app/main.py"} == archive.executable


def test_a_folder_with_links_or_too_much_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "big").write_bytes(bytes(100))
    with pytest.raises(TooLarge, match="keep data out"):
        pack_folder(tmp_path, ArchiveLimits(unpacked_bytes=50))
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(BadArchive, match="link is a link"):
        pack_folder(tmp_path)


def test_unpacking_writes_files_and_modes(tmp_path: Path) -> None:
    packed = tmp_path / "c.tar"
    packed.write_bytes(pack_component(MANIFEST | {"app/a/run": b"#!", "app/b": b"2"}, {"app/a/run"}))
    old = os.umask(0o077)
    try:
        unpack_component(packed, tmp_path / "c")
    finally:
        os.umask(old)
    assert {"manifest.json", "app", "app/a", "app/a/run", "app/b"} == tree(tmp_path / "c")
    modes = [(tmp_path / "c" / name).stat().st_mode & 0o777 for name in ("", "app", "app/a/run", "app/b")]
    assert modes == [0o755, 0o755, 0o755, 0o644]


def test_unpacking_never_reuses_a_folder(tmp_path: Path) -> None:
    (tmp_path / "there").symlink_to("/")
    with pytest.raises(FileExistsError):
        unpack_component(pack_component(MANIFEST), tmp_path / "there")


PART = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/\\"), min_size=1, max_size=20
).filter(lambda part: part not in (".", "..") and not part.startswith("._") and part != ".DS_Store")
FILES = st.dictionaries(
    st.lists(PART, min_size=1, max_size=4).map("/".join), st.binary(max_size=2000), max_size=8
)


def without_clashes(files: dict[str, bytes]) -> bool:
    return not any(other.startswith(f"{name}/") for name in files for other in files)


@settings(deadline=None, max_examples=60)
@given(
    files=FILES.map(lambda files: files | MANIFEST).filter(without_clashes),
    squeezed=st.booleans(),
    data=st.data(),
)
def test_what_is_packed_is_read_back(files: dict[str, bytes], squeezed: bool, data: st.DataObject) -> None:
    executable = data.draw(st.frozensets(st.sampled_from(sorted(files))))
    packed = pack_component(files, executable)
    archive = read_component(gzip.compress(packed) if squeezed else packed)
    assert archive == ComponentArchive(files=files, executable=executable)


HOSTILE = st.lists(
    st.sampled_from(["..", ".", "", "a", "b", "manifest.json", "/", "\\", "etc", "\x00", "x" * 300, "…"]),
    max_size=6,
).map("/".join)


@settings(deadline=None, max_examples=100)
@given(
    entries=st.lists(
        st.tuples(HOSTILE, st.sampled_from([b"0", b"1", b"2", b"5", b"6", b"L", b"x"]), HOSTILE), max_size=6
    )
)
def test_hostile_names_never_land_outside(
    entries: list[tuple[str, bytes, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    outer = tmp_path_factory.mktemp("outer")
    data = tar_of(("manifest.json", b"{}"), *(special(name, kind, link) for name, kind, link in entries))
    try:
        unpack_component(data, outer / "in")
    except BadArchive:
        assert set() == tree(outer)
    else:
        assert all(path == "in" or path.startswith("in/") for path in tree(outer))
        assert not any(path.is_symlink() for path in outer.rglob("*"))


@settings(deadline=None, max_examples=150)
@given(
    data=st.binary(max_size=3000),
    start=st.sampled_from([b"", b"\x1f\x8b\x08\x00", b"manifest.json" + bytes(87)]),
)
def test_noise_is_refused_cleanly(data: bytes, start: bytes) -> None:
    with pytest.raises(BadArchive):
        read_component(start + data)


@settings(deadline=None, max_examples=150)
@given(at=st.integers(0, 3071), value=st.integers(0, 255))
def test_one_damaged_byte_never_breaks_the_reader(at: int, value: int) -> None:
    data = bytearray(pack_component(MANIFEST | {"app/é" + "n" * 120: b"1"}))
    data[at] = value
    with contextlib.suppress(BadArchive):
        read_component(bytes(data))
