"""One page of many, which no worker can break."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from api.metric_pages import TEXT_BYTES, metrics_page, readable

GOOD = """# HELP pool_claim_seconds Time to a slot.
# TYPE pool_claim_seconds histogram
pool_claim_seconds_bucket{tier="warm",le="+Inf"} 3
pool_claim_seconds_count{tier="warm"} 3
pool_claim_seconds_sum{tier="warm"} 0.25
# TYPE oom_total counter
oom_total 2
# TYPE process_open_fds gauge
process_open_fds 9
"""


@pytest.fixture(autouse=True)
def logs():
    with capture_logs() as found:
        yield found


def samples(page):
    """Return each sample's value by name and labels; none may come twice, nor a type."""
    text = page.decode()
    types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    assert len(types) == len(set(types))
    found = [it for family in text_string_to_metric_families(text) for it in family.samples]
    values = {(it.name, *sorted(it.labels.items())): it.value for it in found}
    assert len(values) == len(found)
    return values


def test_own_figures_and_jobs_and_each_workers_stand_on_one_page():
    page = metrics_page({"JOB_STATE_COMPLETE": 7}, [("a", GOOD), ("b", GOOD)])
    found = samples(page)
    assert found["gridloom_jobs", ("state", "JOB_STATE_COMPLETE")] == 7
    for worker in "ab":
        assert found["oom_total", ("worker", worker)] == 2
        assert found["pool_claim_seconds_sum", ("tier", "warm"), ("worker", worker)] == 0.25
        assert found["process_open_fds", ("worker", worker)] == 9
    assert any(name.startswith("python_info") for name, *_ in found)
    assert page.count(b"# TYPE pool_claim_seconds histogram") == 1
    assert page.count(b"# HELP pool_claim_seconds Time to a slot.") == 1


def test_a_worker_speaks_for_itself_alone():
    found = samples(metrics_page({}, [("a", 'up{worker="b"} 1\nup{worker="c"} 2 99999999999999\n')]))
    assert found["up", ("worker", "a")] == 1
    assert {key for key in found if key[0] == "up"} == {("up", ("worker", "a"))}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "x",
        "x y",
        'x{a="1} 2',
        "# TYPE x strange\nx 1",
        "# TYPE gridloom_jobs counter\ngridloom_jobs_total 1",
        "# TYPE gridloom_jobs histogram\ngridloom_jobs 1",
        "# TYPE ok_total gauge\nok_total 1",
        "# TYPE x info\nx_info 1",
        "x " + "9" * 400,
        '{"x\\n# TYPE y gauge"} 1',
        '{"a b"} 1',
        'x{"a b"="1", a_b="2"} 1',
        "# HELP x a\\nb\n# TYPE x gauge\nx 1",
        'x{a="\\n# TYPE y"} 1',
        "x 1\nx 1",
        "x" * 5000 + " 1",
        "\r# TYPE \x0b\nx\u2028y 1",
        "# TYPE ok counter\n# TYPE ok counter\nok 1",
    ],
)
def test_no_text_of_a_worker_can_hide_the_others(text):
    ok = "# TYPE ok counter\nok_total 1\n# TYPE ok_seconds summary\nok_seconds_count 1\n"
    found = samples(metrics_page({"S": 1}, [("a", ok), ("evil", text), ("z", ok)]))
    assert found["gridloom_jobs", ("state", "S")] == 1
    for worker in "az":
        assert found["ok_total", ("worker", worker)] == 1
        assert found["ok_seconds_count", ("worker", worker)] == 1


@given(st.text(alphabet=st.sampled_from('x1 {}",=#_\n\\TYPEHELPgauge\t.+e'), max_size=200))
def test_whatever_a_worker_sends_the_page_stays_readable(text):
    assert samples(metrics_page({"S": 1}, [("evil", text)]))["gridloom_jobs", ("state", "S")] == 1


def test_what_can_not_be_read_is_logged_with_the_workers_name(logs):
    metrics_page({}, [("evil", "x y z w")])
    assert [(it["event"], it["worker"]) for it in logs] == [("metrics_unreadable", "evil")]


def test_a_text_has_a_limit():
    assert readable("x" * TEXT_BYTES)
    assert not readable("x" * TEXT_BYTES + "x")
    assert not readable("ö" * TEXT_BYTES)
    assert not readable("x\0")
