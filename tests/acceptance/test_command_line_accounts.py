"""The `gridloom` command for several users of one fabric: made by an admin, signed in by key, browser and device."""

import html
import json
import os
import pty
import re
import select
import sys
from pathlib import Path

import httpx
import pytest

from tests.fixtures.certificates import write_certificate
from tests.fixtures.commands import Commands
from tests.fixtures.live_fabric import until

PASSWORD = "correct horse battery"
NOWHERE = "http://127.0.0.1:9"
MISSING = "5f2b6c1e-8c0f-4a53-9d0e-0a6c0e7c9f11"


@pytest.fixture
def operator(fabric, tmp_path):
    folder = tmp_path / "operator"
    folder.mkdir()
    return Commands(folder, {"GRIDLOOM_URL": fabric.url, "GRIDLOOM_API_KEY": fabric.api_key})


@pytest.fixture
def make_user(fabric, operator, tmp_path, request):
    """Return what makes an account, and gives its commands and its first key."""

    def make(name):
        name = f"{name}-{request.node.name[-20:].strip('_')}".replace("_", "-")
        email = f"{name}@example.org"
        said = operator(
            "admin", "user", "add", name, "--email", email, "--with-password", "--json", stdin=PASSWORD
        )
        folder = tmp_path / name
        folder.mkdir()
        return Commands(folder, {}), email, json.loads(said)["apiKey"]

    return make


def approve(page, email):
    """Sign in on a page of the fabric's and allow what it asks for; returns where that leads."""

    def filled(text, **more):
        hidden = re.findall(r"<input type=hidden name='([^']+)' value='([^']*)'>", text)
        return {name: html.unescape(value) for name, value in hidden} | more

    with httpx.Client(follow_redirects=True) as browser:
        asked = browser.get(page)
        sign_in = filled(asked.text, action="sign_in", email=email, password=PASSWORD)
        answer = browser.post(asked.url, data=sign_in)
        if "value=allow" in answer.text:
            answer = browser.post(answer.url, data=filled(answer.text, action="allow"))
        return answer


def mailed_code(fabric, email):
    """Return the code that a fabric without a mail server wrote into its log."""
    lines = [it for it in fabric.log_file.read_text().splitlines() if email in it]
    codes = re.findall(r"\b[0-9]{6,8}\b", lines[-1]) if lines else []
    return codes[-1] if codes else ""


def test_a_new_user_works_with_a_profile_from_app_to_wallet(fabric, make_user):
    gridloom, _, key = make_user("ada")
    gridloom("config", "set", "office", "--url", fabric.url, "--with-key", stdin=f"{key}\n")
    assert key not in gridloom("config", "get", "office", "--json")
    assert "API key" in gridloom("auth", "status")
    (gridloom.folder / "notes.txt").write_text("warp and weft\n")
    for command in (("new", "shout"), ("push", "shout"), ("activate", "shout")):
        gridloom("app", *command)
    ended = gridloom.ended(
        "job", "run", "shout-template", "--wait", "--input", "notes.txt", "--name", "Loud one"
    )
    assert ended.stdout.splitlines()[-1] == "Complete"
    assert "chunks" in ended.stderr
    job_id = ended.stdout.split()[1]
    listed = json.loads(gridloom("job", "filter", "--state", "complete", "--name", "loud", "--json"))
    assert [it["id"] for it in listed["data"]] == [job_id]
    assert "14 characters" in gridloom("logs", job_id, "--search", "characters")
    assert gridloom("logs", job_id, "--search", "nothing of the kind") == ""
    gridloom("logs", job_id, "--download", "all.log")
    assert "14 characters" in (gridloom.folder / "all.log").read_text()
    gridloom("job", "download", job_id, "result")
    assert (gridloom.folder / "result/shout_processed.txt").read_text() == "WARP AND WEFT\n"
    assert "ByteChips for 1 tasks" in gridloom("job", "estimate", job_id)
    assert "exitCode" in gridloom("job", "task", job_id, "0")
    assert "vCPU" in gridloom("wallet", "rates")
    assert "totalBalance" in json.loads(gridloom("wallet", "balance", "--json"))
    assert gridloom("wallet", "transactions", "--csv").startswith("date,")
    gridloom("job", "delete", job_id, "--yes")
    assert json.loads(gridloom("job", "list", "--json"))["data"] == []


def test_what_was_pushed_comes_back(fabric, make_user):
    gridloom, _, key = make_user("pull")
    gridloom("config", "set", "p", "--url", fabric.url, "--with-key", stdin=key)
    gridloom("app", "new", "shout")
    gridloom("app", "push", "shout")
    gridloom("app", "pull", "shout@0.1", "again")
    for name in ("manifest.json", "app/main.py", "template.json"):
        assert (gridloom.folder / "again" / name).read_bytes() == (
            gridloom.folder / "shout" / name
        ).read_bytes()
    assert "exists already" in gridloom("app", "pull", "shout", "again", code=1)
    gridloom("template", "pull", "shout-template", "t.json")
    gridloom("template", "push", "t.json")
    gridloom("app", "publish", "shout")
    assert "--yes" in gridloom("app", "delete", "shout@0.1", code=2)
    gridloom("app", "delete", "shout@0.1", "--yes")
    assert json.loads(gridloom("app", "list", "--json"))["apps"] == []


def test_secrets_and_keys_are_shown_once_or_never(fabric, make_user):
    gridloom, email, key = make_user("keys")
    gridloom("config", "set", "p", "--url", fabric.url, "--with-key", stdin=key)
    gridloom("secret", "save", "weights", "--type", "s3", "--access-key", "AK7", stdin="s3cr3t-value\n")
    listed = gridloom("secret", "list") + gridloom("secret", "list", "--json")
    assert "weights" in listed
    assert "s3cr3t-value" not in listed
    gridloom("secret", "delete", "weights", "--type", "s3", "--yes")
    assert "--code" in gridloom("key", "create", "nightly", code=2)
    code = until(lambda: mailed_code(fabric, email), "the code is in the log")
    made = json.loads(gridloom("key", "create", "nightly", "--code", code, "--expires", "30d", "--json"))
    with_it = Commands(gridloom.folder, {"GRIDLOOM_URL": fabric.url, "GRIDLOOM_API_KEY": made["apiKey"]})
    assert "nightly" in with_it("key", "list")
    gridloom("key", "revoke", made["key"]["id"], "--yes")
    until(lambda: with_it.ended("key", "list").returncode == 1, "the key is refused", 10)


def test_exit_codes_are_those_of_the_help(fabric, make_user):
    gridloom, _, key = make_user("codes")
    gridloom("config", "set", "p", "--url", fabric.url, "--with-key", stdin=key)
    for command, code in (
        (("job", "get", MISSING), 1),
        (("admin", "user", "list"), 1),
        (("job", "abort", MISSING), 2),
        (("job", "get"), 2),
        (("--url", NOWHERE, "--api-key", "k", "job", "list"), 3),
    ):
        assert len(gridloom(*command, code=code).splitlines()) == 1, command


def test_operators_give_bytechips_stop_accounts_and_rotate_the_key(fabric, operator, make_user):
    gridloom, email, key = make_user("money")
    gridloom("config", "set", "p", "--url", fabric.url, "--with-key", stdin=key)
    code = operator("admin", "coupon", "add", "2.5", "--expires", "1d").strip()
    assert "2.5" in gridloom("wallet", "redeem", code)
    operator("admin", "grant", email, "7")
    assert json.loads(gridloom("wallet", "balance", "--json"))["totalBalance"] == 9.5
    assert code in operator("admin", "coupon", "list")
    known = fabric.data_dir / "master.key"
    before = known.read_text()
    said = json.loads(operator("admin", "rotate-key", "--key-file", known, "--yes", "--json"))
    assert known.read_text().endswith(before)
    assert known.read_text().startswith(said["masterId"])
    operator("admin", "user", "disable", email, "--yes")
    until(lambda: gridloom.ended("wallet", "balance").returncode == 1, "the account is stopped", 10)
    operator("admin", "user", "enable", email)
    gridloom("wallet", "balance")
    assert "/v1/admin/users/{id}" in operator("admin", "audit", "--limit", "5", "--wide")


def test_events_come_as_lines_of_json(fabric, make_user):
    gridloom, _, key = make_user("events")
    gridloom("config", "set", "p", "--url", fabric.url, "--with-key", stdin=key)
    gridloom("app", "new", "shout")
    gridloom("app", "push", "shout")
    gridloom("app", "activate", "shout")
    (gridloom.folder / "notes.txt").write_text("x\n")
    with gridloom.start("events", "--json", "--no-tasks") as listening:
        try:
            assert listening.stdout
            # It says nothing before something happens; drafts are made until it has heard of one.
            heard = lambda: select.select([listening.stdout], [], [], 0)[0]  # noqa: E731
            until(lambda: gridloom("job", "create", "shout-template") and heard(), "an event came", 60)
            event = json.loads(listening.stdout.readline())
        finally:
            listening.kill()
    assert event["event"] == "job.updated"
    assert event["data"]["state"] == "JOB_STATE_NEW"


def test_a_device_without_a_browser_is_let_in_elsewhere(fabric, make_user):
    gridloom, email, _ = make_user("device")
    with gridloom.start("--url", fabric.url, "auth", "--json") as waiting:
        assert waiting.stderr
        page = re.search(r"http\S+", waiting.stderr.readline())[0]
        assert "The device is signed in" in approve(page, email).text
        out, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0
    assert json.loads(out)["user"]["email"] == email
    config = gridloom.folder / "home/config/gridloom/config.json"
    assert config.stat().st_mode & 0o777 == 0o600
    assert email in gridloom("auth", "status")
    assert "already signed in" in gridloom("auth")
    # Several at once share one session: only one of them may use the refresh token.
    kept = json.loads(config.read_text())
    kept["profiles"]["default"]["accessUntil"] = 0
    config.write_text(json.dumps(kept))
    several = [gridloom.start("wallet", "balance") for _ in range(3)]
    assert [it.wait(60) for it in several] == [0, 0, 0]
    for it in several:
        it.communicate()
    gridloom("auth", "logout")
    assert "sign in" in gridloom("auth", "status", code=1)


def test_a_browser_on_this_machine_brings_the_code_back(fabric, make_user):
    gridloom, email, _ = make_user("browser")
    script = Path(__file__).parents[1] / "fixtures/fake_browser.py"
    browser = {"BROWSER": f"{sys.executable} {script} %s", "FAKE_BROWSER_EMAIL": email}
    browser |= {"FAKE_BROWSER_PASSWORD": PASSWORD}
    ended = gridloom.ended("--url", fabric.url, "auth", "login", "--json", env=browser)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["user"]["email"] == email
    assert email in gridloom("auth", "status")


def test_a_terminal_gets_tables_that_fit_it(fabric, make_user):
    gridloom, _, key = make_user("terminal")
    gridloom("config", "set", "p", "--url", fabric.url, "--with-key", stdin=key)
    gridloom("app", "new", "shout")
    gridloom("app", "push", "shout")
    gridloom("app", "activate", "shout")
    job_id = json.loads(gridloom("job", "create", "shout-template", "--name", "n" * 100, "--json"))["id"]
    shown = on_terminal(gridloom, "job", "list", COLUMNS="60", TERM="xterm-256color")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert max(map(len, plain.splitlines())) <= 60
    assert "…" in plain
    assert "\x1b[" in shown
    assert "\x1b[" not in on_terminal(gridloom, "job", "list", COLUMNS="60", NO_COLOR="1", TERM="dumb")
    assert job_id in on_terminal(gridloom, "job", "list", "--wide", COLUMNS="60")


def on_terminal(gridloom, *command, **env):
    """Return what a command prints on a terminal."""
    here, there = pty.openpty()
    with gridloom.start(*command, stdin=there, stdout=there, stderr=there, env=env) as process:
        os.close(there)
        said = b""
        try:
            while block := os.read(here, 65536):
                said += block
        except OSError:  # how the end of a terminal is told
            pass
        assert process.wait(60) == 0, said
    os.close(here)
    return said.decode().replace("\r\n", "\n")


def test_a_fabric_with_a_certificate_is_ready_and_runs_jobs(start_fabric, tmp_path):
    certificate, key = write_certificate(tmp_path, "127.0.0.1")
    trust = {"SSL_CERT_FILE": str(certificate)}
    env = {"GRIDLOOM_TLS_CERT": str(certificate), "GRIDLOOM_TLS_KEY": str(key), **trust}
    fabric = start_fabric(env=env)
    assert fabric.url.startswith("https://127.0.0.1:")
    gridloom = Commands(tmp_path, {"GRIDLOOM_URL": fabric.url, "GRIDLOOM_API_KEY": fabric.api_key, **trust})
    gridloom("app", "new", "shout")
    gridloom("app", "push", "shout")
    gridloom("app", "activate", "shout")
    (tmp_path / "notes.txt").write_text("x\n")
    gridloom("job", "run", "shout-template", "--input", "notes.txt", "--output", "result")
    assert (tmp_path / "result/shout_processed.txt").read_text() == "X\n"
