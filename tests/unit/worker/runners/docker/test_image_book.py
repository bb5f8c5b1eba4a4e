from datetime import timedelta

from worker.runners.docker.image_book import Arrival, ImageBook


def test_it_survives_its_process(tmp_path):
    book = ImageBook(tmp_path / "book.json")
    book.pulled("sha256:1", "x:1", "ann", 3.5)
    book.pulled("sha256:1", "x:2", "bob", 3.5)
    book.begin(Arrival(repository="y", before=frozenset({"sha256:0"})))
    again = ImageBook(tmp_path / "book.json")
    assert again.owners_of("sha256:1") == {"ann", "bob"}
    assert again.kept()["sha256:1"].names == {"x:1", "x:2"}
    assert again.under_way() == (Arrival(repository="y", before=frozenset({"sha256:0"})),)
    again.settled(again.under_way()[0])
    again.forget("sha256:1")
    assert not ImageBook(tmp_path / "book.json").has("sha256:1")
    assert not ImageBook(tmp_path / "book.json").under_way()


def test_the_least_recently_used_comes_first(tmp_path):
    book = ImageBook(tmp_path / "book.json")
    for image in "123":
        book.pulled(image, image, "ann", 1)
    book.used("1")
    assert [*book.kept()] == ["2", "3", "1"]
    book.used("unknown")


def test_uses_reach_the_file_after_a_minute(tmp_path, monkeypatch):
    book = ImageBook(tmp_path / "book.json")
    book.pulled("1", "x", "ann", 1)
    first = book.kept()["1"].used_at
    book.used("1")
    assert ImageBook(tmp_path / "book.json").kept()["1"].used_at == first
    monkeypatch.setattr("worker.runners.docker.image_book._WRITE_AFTER", timedelta(0))
    book.used("1")
    assert ImageBook(tmp_path / "book.json").kept()["1"].used_at > first


def test_a_torn_file_is_an_empty_book(tmp_path):
    (tmp_path / "book.json").write_text('{"kept": {')
    book = ImageBook(tmp_path / "book.json")
    assert not book.kept()
    book.pulled("1", "x", "ann", 1)
    assert ImageBook(tmp_path / "book.json").has("1")
