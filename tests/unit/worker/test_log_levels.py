import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.logs import LogLevel
from worker.log_levels import level_of


def of(text):
    return level_of(text, text.lower())


@pytest.mark.parametrize(
    "text",
    [
        "ERROR: no such file",
        "error: no such file",
        "Error: no such file",
        "[ERROR] no such file",
        "ERROR no such file",
        "FATAL boom",
        "CRITICAL:root:boom",
        "Traceback (most recent call last):",
        "ValueError: bad",
        "requests.exceptions.ConnectionError: gone",
        "KeyError",
        "E0102 03:04:05.678 1 file.cc:1] boom",
        "level=error msg=boom",
        'level="error" msg=boom',
        '{"ts": 1, "message": "boom", "severity": "ERROR"}',
        '{"level":"fatal"}',
        "2026/01/02 03:04:05 [error] 12#0: *1 boom",
        "main.c:3:4: error: expected ;",
        "panic: boom",
        "\x1b[31mERROR\x1b[0m boom",
    ],
)
def test_errors(text):
    assert of(text) is LogLevel.ERROR


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("WARNING:root:careful", "WARNING"),
        ("[warn] careful", "WARNING"),
        ("2026-01-02 03:04:05,678 - my.app - WARNING - careful", "WARNING"),
        ("W0102 03:04:05.678 1 file.cc:1] careful", "WARNING"),
        ("2026-01-02 03:04:05,678 INFO step 3", "INFO"),
        ("2026-01-02T03:04:05Z INFO step 3", "INFO"),
        ("2026-01-02 03:04:05.678 | INFO     | __main__:f:3 - step 3", "INFO"),
        ("[2026-01-02 03:04:05 +0000] [123] [INFO] Starting", "INFO"),
        ("  INFO step 3", "INFO"),
        ("ts=2026 caller=x level=debug", "DEBUG"),
        ("TRACE entering", "DEBUG"),
        ("DEBUG:asyncio:Using selector", "DEBUG"),
        ('{"level":"trace"}', "DEBUG"),
    ],
)
def test_other_levels(text, level):
    assert of(text) == level


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "no error found",
        "12 errors",
        "information desk",
        "info about the thing",
        "processed with errors = 3",
        '  File "error.py", line 3',
        "ERRORS everywhere",
        '{"message":"error"}',
        "2026-01-02 03:04:05 informed",
    ],
)
def test_what_names_no_level_has_none(text):
    assert of(text) is LogLevel.UNKNOWN


@given(st.text())
def test_any_text_has_some_level(text):
    assert of(text) in LogLevel
