"""Log lines as clients get them."""

from api.log_lines import by_stage
from api.log_reader import StoredLine
from gridloom.ids import task_id
from gridloom.log_frames import Entry
from gridloom.logs import LogLevel
from gridloom.states import Stage

JOB = "0f000000-0000-4000-8000-000000000001"


def line(place, stage, text):
    return StoredLine(place, stage, Entry(place, 0, 1, "fabric", LogLevel.INFO, text))


def test_the_delivery_goes_on_where_the_assembler_ended():
    stages = (Stage.PARTITION, Stage.APP, Stage.ASSEMBLE, Stage.DELIVER)
    found = by_stage(JOB, [line(place, stage, stage.value) for place, stage in enumerate(stages)])
    assert [it["log"] for it in found["partitioner"]] == ["partition"]
    assert [it["log"] for it in found["assembler"]] == ["assemble", "deliver"]
    assert list(found["taskrunner"]) == [task_id(JOB, Stage.APP, 0)]
