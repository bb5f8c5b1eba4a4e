"""Tests of what changes one job."""

import pytest

from tests.unit.cli.conftest import JOB_ID

PATH = f"/v1/customer/jobs/{JOB_ID}"


@pytest.mark.parametrize("verb", ["abort", "delete"])
def test_nothing_is_lost_without_a_yes(fabric, gridloom, verb):
    code, out, err = gridloom("job", verb, JOB_ID)
    assert (code, out) == (2, "")
    assert "--yes" in err
    assert fabric.calls == []


def test_a_copy_is_a_draft(fabric, gridloom):
    fabric.answers["POST", f"{PATH}/duplicate"] = {"job": {"id": "other"}}
    assert gridloom("job", "duplicate", JOB_ID)[1] == "Job other: run it with gridloom job run other\n"


def test_a_draft_is_renamed(fabric, gridloom):
    gridloom("job", "create", "t")
    assert gridloom("job", "rename", JOB_ID, "Night")[1] == f"Job {JOB_ID} is now Night\n"
    assert fabric.bodies("PATCH", f"{PATH}/jobname") == [{"name": "Night"}]


def test_a_price_is_told(fabric, gridloom):
    found = {"totalEstimation": "1", "numUnitsEstimation": "4", "amount": 6.89e-06}
    fabric.answers["GET", f"/v1/customer/jobs/estimation/{JOB_ID}"] = {"estimation": found}
    assert gridloom("job", "estimate", JOB_ID)[1] == "0.00000689 ByteChips for 4 tasks\n"
