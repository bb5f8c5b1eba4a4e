from gridloom.reuse import ReuseNote, canonical, differing


def test_parameters_are_equal_whatever_the_order_of_their_members():
    assert canonical({"a": 1, "b": {"c": 2, "d": 3}}) == canonical({"b": {"d": 3, "c": 2}, "a": 1})
    assert len({canonical(it) for it in (1, 1.0, True, "1")}) == 4


def test_members_that_differ_are_named():
    assert differing({"a": 1, "b": None, "c": [1]}, {"a": True, "c": [1], "d": 2}) == ["a", "b", "d"]


def test_a_note_without_a_job_is_a_miss():
    assert not ReuseNote(reason="why").hit
    assert ReuseNote(reason="why", job_id="j").hit
