"""Results come in chunk order and bounded pages; a page of outputs sent twice is one."""

from gridloom.states import TaskState
from storage.repositories import assembly


def page(fabric, job_id, first=0, limit=10):
    rows, following = fabric.write(assembly.results_page, job_id, first, limit)
    return [row.chunk for row in rows], following


def test_results_come_in_pages_in_chunk_order(fabric):
    job_id = fabric.run_chunks(5)
    fabric.complete(job_id, ["a"], ["b"], [], ["d"], ["e"])
    assert page(fabric, job_id, limit=2) == ([0, 1], 2)
    assert page(fabric, job_id, first=2, limit=2) == ([2, 3], 4)
    assert page(fabric, job_id, first=4, limit=2) == ([4], None)
    assert page(fabric, job_id, first=5) == ([], None)


def test_a_page_ends_early_when_its_tasks_have_many_files(fabric, monkeypatch):
    monkeypatch.setattr(assembly, "FILES_MAX", 3)
    job_id = fabric.run_chunks(3)
    fabric.complete(job_id, ["a", "b"], ["c", "d", "e"], ["f"])
    assert page(fabric, job_id) == ([0, 1], 2)
    assert page(fabric, job_id, first=2) == ([2], None)


def test_only_completed_tasks_have_results(fabric):
    job_id = fabric.run_chunks(2)
    fabric.complete(job_id, ["a"], ["b"])
    fabric.set_task(job_id, 0, state=TaskState.SCHEDULED)
    assert page(fabric, job_id) == ([1], None)


def output(path, key="k"):
    return {"path": path, "size": 1, "key": key, "offset": 0}


def test_outputs_sent_twice_are_there_once_with_the_last_bytes(fabric):
    job_id = fabric.run()
    fabric.write(assembly.add_outputs, job_id, 1, [output("a"), output("b")])
    fabric.write(assembly.add_outputs, job_id, 1, [output("b", "new"), output("c")])
    fabric.write(assembly.add_outputs, job_id, 1, [])
    assert fabric.outputs(job_id) == {"a": "k", "b": "new", "c": "k"}


def test_another_epochs_paths_are_free(fabric):
    job_id = fabric.run()
    fabric.write(assembly.add_outputs, job_id, 1, [output("a")])
    assert fabric.write(assembly.taken_paths, job_id, 1, ["a", "b"]) == {"a"}
    assert fabric.write(assembly.taken_paths, job_id, 2, ["a", "b"]) == set()


def test_the_cursor_moves_once(fabric):
    job_id = fabric.run()
    assert fabric.write(assembly.move_cursor, job_id, 0, 7)
    assert not fabric.write(assembly.move_cursor, job_id, 0, 9)
    assert fabric.job(job_id).output_cursor == 7


def test_what_was_listed_can_be_forgotten(fabric):
    job_id = fabric.run()
    fabric.write(assembly.add_outputs, job_id, 1, [output("a")])
    fabric.write(assembly.forget_outputs, job_id)
    assert fabric.outputs(job_id) == {}
