"""Task ids lead back to their task; tokens and UUIDs are what they say."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.ids import is_uuid, new_token, new_uuid, parse_task_id, task_id
from gridloom.states import Stage

job_ids = st.uuids(version=4).map(str)
stages = st.sampled_from(Stage)
chunks = st.integers(0, 2**32 - 1)


@given(job_ids, stages, chunks)
def test_a_task_id_leads_back_to_stage_and_chunk(job_id, stage, chunk):
    text = task_id(job_id, stage, chunk)
    assert uuid.UUID(text).version == 8
    assert uuid.UUID(text).variant == uuid.RFC_4122
    assert parse_task_id(job_id, text) == (stage, chunk)
    assert parse_task_id(job_id, text.upper()) == (stage, chunk)


@given(st.tuples(job_ids, stages, chunks), st.tuples(job_ids, stages, chunks))
def test_different_tasks_have_different_ids(one, other):
    assert (task_id(*one) == task_id(*other)) == (one == other)


@given(job_ids, st.uuids().map(str))
def test_another_uuid_is_no_task_of_the_job(job_id, text):
    with pytest.raises(ValueError, match=r"is not a task id|does not belong"):
        parse_task_id(job_id, text)


@given(job_ids, st.text(max_size=40))
def test_any_other_text_is_refused(job_id, text):
    with pytest.raises(ValueError, match=r"badly formed|is not a task id|does not belong|invalid literal"):
        parse_task_id(job_id, text)


def test_a_task_of_another_job_is_refused():
    with pytest.raises(ValueError, match="does not belong"):
        parse_task_id(new_uuid(), task_id(new_uuid(), Stage.APP, 1))


def test_uuids_are_told_from_other_texts():
    assert is_uuid(new_uuid())
    assert is_uuid(new_uuid().upper())
    assert not is_uuid("x")
    assert not is_uuid("{" + new_uuid() + "}")
    assert not is_uuid(new_uuid().replace("-", ""))


def test_tokens_are_long_and_never_alike():
    tokens = {new_token("glk") for _ in range(100)}
    assert len(tokens) == 100
    assert all(it.startswith("glk_") and len(it) > 50 for it in tokens)
