import time

from api import passwords


def test_a_password_matches_its_own_hash_alone():
    kept = passwords.hashed("correct horse battery")
    assert kept.startswith("$argon2id$")
    assert "horse" not in kept
    assert passwords.matches(kept, "correct horse battery")
    assert not passwords.matches(kept, "correct horse batteri")


def test_without_a_password_nothing_matches_and_it_takes_as_long():
    passwords._nobodys.cache_clear()  # other tests may have made it with a cheaper hasher
    kept = passwords.hashed("correct horse battery")
    passwords.matches(None, "x")
    took: dict[str | None, list[float]] = {None: [], kept: []}
    for _ in range(3):
        for against, times in took.items():
            started = time.process_time()
            assert not passwords.matches(against, "the password of nobody")
            times.append(time.process_time() - started)
    assert min(took[None]) > min(took[kept]) / 3


def test_a_broken_hash_matches_nothing():
    assert not passwords.matches("broken", "x")
