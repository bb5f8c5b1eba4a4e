import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.errors import AttemptFailed
from gridloom.states import EndReason
from worker.runners.docker.references import Reference, repository_of

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("python", "docker.io/library/python:latest"),
        ("python:3.11-slim", "docker.io/library/python:3.11-slim"),
        ("docker.io/python", "docker.io/library/python:latest"),
        ("index.docker.io/library/python", "docker.io/library/python:latest"),
        ("someone/tool:v1", "docker.io/someone/tool:v1"),
        ("localhost/tool", "localhost/tool:latest"),
        ("localhost:5000/a/b/c:x", "localhost:5000/a/b/c:x"),
        ("registry.example/tool", "registry.example/tool:latest"),
        (f"python@{DIGEST}", f"docker.io/library/python@{DIGEST}"),
        (f"127.0.0.1:5000/tool:v1@{DIGEST}", f"127.0.0.1:5000/tool@{DIGEST}"),
    ],
)
def test_a_name_is_spelled_out_in_full(text, name):
    assert Reference.parse(text).name == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Python",
        "a b",
        "tool:",
        "tool@",
        f"tool@{DIGEST}0",
        "tool@sha256:abc",
        "/tool",
        "tool/",
        "a//b",
        "-x/y",
        "x" * 300,
        "tool:-v",
        "tool:v/w:x y",
        "../../etc",
        "http://registry.example/tool",
        "tool?tag=x",
        "tool\n",
    ],
)
def test_what_is_no_name_is_the_components_fault(text):
    with pytest.raises(AttemptFailed) as failure:
        Reference.parse(text)
    assert failure.value.reason is EndReason.BAD_COMPONENT


@given(st.text(alphabet=string.ascii_lowercase + string.digits + "A.:/@-_ \n?", max_size=40))
def test_any_text_is_a_name_or_refused(text):
    try:
        image = Reference.parse(text)
    except AttemptFailed:
        return
    assert Reference.parse(image.name).name == image.name
    assert image.name.isprintable()
    assert " " not in image.name


def test_names_that_the_daemon_gives_lead_to_their_repository():
    assert repository_of("python:3") == "docker.io/library/python"
    assert repository_of(f"localhost:5000/x@{DIGEST}") == "localhost:5000/x"
    assert repository_of("<none>:<none>") == ""


def test_a_pin_takes_the_place_of_the_tag():
    image = Reference.parse("registry.example:5000/tool:v1").at(DIGEST)
    assert (image.name, image.registry) == (f"registry.example:5000/tool@{DIGEST}", "registry.example:5000")
