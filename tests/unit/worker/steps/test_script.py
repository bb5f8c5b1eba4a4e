"""A script's secrets reach its process, and neither its log nor its message."""

import base64
import dataclasses

from gridloom.states import EndReason, Stage
from worker.runners import mock

VALUE = "sword/fish+7"


def set_work(rig, **mock):
    rig.set_work(Stage.APP, mock)
    env = rig.control_plane.work.env | {"mine": VALUE, "s3_ACCESS_KEY": "AKIAEXAMPLE"}
    rig.control_plane.work = rig.control_plane.work.model_copy(update={"env": env, "secret_names": ("mine",)})
    rig.control_plane.add(Stage.APP, 0, b"x")


def texts(rig):
    return [line["m"] for line in rig.control_plane.lines]


def test_values_are_masked_in_the_log_and_given_to_the_script(rig):
    encoded = base64.b64encode(VALUE.encode()).decode()
    set_work(rig, stdout=f"key {VALUE}\n{encoded} AKIAEXAMPLE\nend {VALUE[:4]}", stderr=f"{VALUE}\n")
    assert rig.run(Stage.APP, 0)
    assert rig.runner.executions[0].env["mine"] == VALUE
    assert VALUE not in repr(rig.runner.executions[0])
    assert sorted(texts(rig)) == sorted(["key ***", "*** AKIAEXAMPLE", f"end {VALUE[:4]}", "***"])


def test_a_message_is_masked_too(rig, monkeypatch):
    set_work(rig, exit_code=3, stderr=f"bad key {VALUE}\n")
    plain = mock.ended

    def ended(*args):
        found = plain(*args)
        return dataclasses.replace(found, message=f"exit code 3: bad key {VALUE[:10]}")

    monkeypatch.setattr(mock, "ended", ended)
    rig.run(Stage.APP, 0)
    result = rig.result()
    assert (result.reason, result.message) == (EndReason.EXIT_NONZERO, "exit code 3: bad key ***")
    assert not any(VALUE[:10] in text for text in texts(rig))


def test_work_without_secrets_is_captured_as_it_is(rig):
    rig.set_work(Stage.APP, {"stdout": "key ***\n"})
    rig.control_plane.add(Stage.APP, 0, b"x")
    rig.run(Stage.APP, 0)
    assert texts(rig) == ["key ***"]
