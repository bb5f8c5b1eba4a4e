"""The Python client on a running fabric: the lines of its page, `map` both ways, logs."""

import asyncio
import re
import textwrap
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path

import pytest

from gridloom.client import AsyncClient, Client, Filter
from gridloom.errors import ClientError
from gridloom.states import JobState
from tests.fixtures.live_fabric import ROOT, component

UPPER = 'tr a-z A-Z < "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/out.txt"\n'
MANY = """
read count < "$TASK_DIR/data.bin"
i=0; while [ $i -lt $count ]; do echo "$CHUNK_NUMBER" > "$TASK_RESULTS_DIR/same_$i"; i=$((i+1)); done
[ $count = 0 ] || { mkdir "$TASK_RESULTS_DIR/deep"; echo deep > "$TASK_RESULTS_DIR/deep/file"; }
"""
SNIPPETS = re.findall(
    "^```python\n(.*?)^```", (ROOT / "docs/python-client.md").read_text(), re.MULTILINE | re.DOTALL
)


@pytest.fixture(scope="module")
def apps(fabric):
    fabric.push(component("upper", UPPER))
    fabric.push(component("many", MANY))
    fabric.client.push_template(
        {"id": "loud", "app": "upper", "partitioner": "passthrough", "assembler": "zipper"}
    )


@pytest.fixture
def environment(fabric, monkeypatch):
    monkeypatch.setenv("GRIDLOOM_URL", fabric.url)
    monkeypatch.setenv("GRIDLOOM_API_KEY", fabric.api_key)


def test_the_five_lines_work(apps, environment, capsys):
    assert len([it for it in SNIPPETS[0].splitlines() if it]) <= 5
    exec(compile(SNIPPETS[0], "docs/python-client.md", "exec"), {})
    assert capsys.readouterr().out.split() == ["WARP", "WEFT"]


def test_the_five_lines_work_with_asyncio(apps, environment, capsys):
    found = {}
    source = f"async def main():\n{textwrap.indent(SNIPPETS[1], '    ')}"
    exec(compile(source, "docs/python-client.md", "exec"), found)
    asyncio.run(found["main"]())
    assert capsys.readouterr().out.split() == ["WARP", "WEFT"]


def test_each_input_gets_its_own_files_in_order(apps, fabric, tmp_path):
    counts = [3, 0, 1, 12]
    files = [tmp_path / f"z{9 - place}" for place in range(4)]
    for file, count in zip(files, counts, strict=True):
        file.write_text(f"{count}\n")
    seen = []
    outputs = fabric.client.map("many", files, to=tmp_path / "to", on_progress=seen.append)
    assert [len([it for it in them if it.name.startswith("same_")]) for them in outputs] == counts
    assert {it.text for it in outputs[3] if it.name.startswith("same_")} == {"3\n"}
    assert [it.text for it in outputs[0] if it.name == "deep/file"] == ["deep\n"]
    assert outputs[0][-1].path == tmp_path / "to/0/same_2"
    assert seen[-1].is_final


def test_a_template_and_a_folder_stand_for_their_app(apps, fabric, tmp_path):
    assert fabric.client.map("loud", [b"a" * 100_000])[0][0].data == b"A" * 100_000
    folder = tmp_path / "lower"
    (folder / "app").mkdir(parents=True)
    (folder / "app/main.sh").write_text(UPPER.replace("a-z A-Z", "A-Z a-z"))
    manifest = '{"name": "lower", "version": "0.1", "platform": "docker", "entrypoint": "main.sh"}'
    (folder / "manifest.json").write_text(manifest)
    assert [them[0].text for them in fabric.client.map(folder, ["Ä", "B"])] == ["Ä", "b"]


def test_an_assembler_of_ones_own_gives_one_list(apps, fabric):
    [outputs] = fabric.client.map("upper", ["a", "b"], assembler="zipper")
    assert [it.name for it in outputs] == ["results_archive.zip"]


def test_no_input_makes_no_job_and_a_failure_is_told(apps, fabric):
    assert fabric.client.map("upper", []) == []
    with pytest.raises(ClientError, match="neither an app nor a template"):
        fabric.client.map("nothing", ["x"])
    fabric.push(component("broken", "exit 3\n"))
    with pytest.raises(ClientError, match="exit code 3"):
        fabric.client.map("broken", ["x"])


async def gathered(fabric) -> list[str]:
    async with AsyncClient(fabric.url, fabric.api_key) as client:
        both = await asyncio.gather(client.map("upper", ["a"]), client.map("upper", ["b", "c"]))
        job = (await client.jobs(limit=1)).items[0]
        _lines = [line async for line in client.log_lines(job.id, follow=True)]
    return [outputs[0].text for found in both for outputs in found]


def test_one_client_does_several_things_at_once(apps, fabric):
    assert asyncio.run(gathered(fabric)) == ["A", "B", "C"]


def test_a_component_is_pulled_as_it_was_pushed(apps, fabric):
    assert fabric.client.pull_component("app", "upper") == component("upper", UPPER)
    with Client(fabric.url, fabric.api_key) as client:
        assert [it.name for it in client.apps(limit=1)]


def test_every_api_answers_as_the_client_reads_it(apps, fabric, tmp_path):
    client = fabric.client
    me = client.user()
    assert client.update_user(first_name="Ada").first_name == "Ada"
    assert [it.revoked for it in client.api_keys()] == [False]
    client.save_secret("token", "hidden", name="Token")
    assert [(it.id, it.secret_type) for it in client.secrets()] == [("token", "other")]
    client.delete_secret("token")
    assert client.engine("passthrough").name == "passthrough"
    assert client.template("loud").app == "upper"
    (tmp_path / "w.bin").write_bytes(b"w" * 9)
    client.upload_to_cache(tmp_path / "w.bin", "models/w.bin")
    assert [(it.name, it.size) for it in client.cache("models")] == [("w.bin", 9)]
    client.delete_from_cache("models/w.bin")
    assert client.rates().rates
    before, entries = client.balance().total_balance, client.transactions().total
    coupon = client.create_coupon("WELCOME", Decimal("1.5"))
    assert client.redeem(coupon.code).amount == Decimal("1.5")
    client.grant(Decimal("2.00000001"), account_id=me.id)
    assert client.balance().total_balance - before == Decimal("3.50000001")
    assert client.transactions().total == entries + 2
    assert client.filter_transactions(Filter(field="transactionType", value="coupon")).total == 1
    assert "coupon" in client.transactions_csv().lower()
    made = client.create_user("bob", issue_key=True)
    with Client(fabric.url, made.api_key) as bob, pytest.raises(ClientError) as refused:
        bob.users()
    assert refused.value.status == 403
    assert made.user.id in [it.id for it in client.users()]
    assert client.change_user(made.user.id, disabled=True).disabled
    assert client.rotate_key().master_id
    assert client.audit(limit=1).total > 0
    assert client.info("auth").version.raw


async def states_of(fabric, job_id: str) -> list[str]:
    """Return the states of a draft that is run while somebody listens."""
    states: list[str] = []
    async with (
        AsyncClient(fabric.url, fabric.api_key) as client,
        asyncio.timeout(60),
        aclosing(client.events(job_ids=[job_id], tasks=False)) as events,
    ):
        running = asyncio.ensure_future(run_soon(client, job_id))
        while JobState.COMPLETE not in states:
            states.append((await anext(events)).data["state"])
        await running
    return states


async def run_soon(client: AsyncClient, job_id: str) -> None:
    await asyncio.sleep(0.5)  # nothing tells when the listener is heard of
    await client.run_job(job_id)


def test_jobs_are_filtered_duplicated_and_told_of(apps, fabric, tmp_path):
    client = fabric.client
    draft = client.create_job(
        {"app": "upper", "partitioner": "passthrough", "assembler": "passthrough", "name": "Warp"}
    )
    ends = {
        "dataSource": {"dataSourceDescriptor": "bypass"},
        "dataDestination": {"dataSourceDescriptor": "bucket"},
    }
    client.change_job(draft.id, "datasource", ends)
    assert [it.id for it in client.filter_jobs(Filter(field="name", value="Warp"))] == [draft.id]
    copy = client.duplicate_job(draft.id)
    assert copy.state == JobState.NEW
    assert copy.id != draft.id
    assert asyncio.run(states_of(fabric, draft.id))[-1] == JobState.COMPLETE
    [task] = client.tasks(draft.id)
    assert client.task(draft.id, task.id).state == "Completed"
    assert client.running_tasks([draft.id]) == {draft.id: 0}
    assert client.download_logs(draft.id, tmp_path / "log").exists()
    assert client.stats().total_jobs > 0
    client.estimation(copy.id)
    client.delete_job(copy.id)


def test_listed_files_are_named_relative(apps, fabric, tmp_path):
    outputs = fabric.client.map("upper", [Path(__file__)], to=tmp_path)
    assert outputs[0][0].path.parent.name == "0"
