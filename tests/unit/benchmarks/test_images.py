import sys

import docker
import pytest

from benchmarks import images


def printed(client: docker.DockerClient, image: str, *command: str) -> str:
    output = client.containers.run(
        image, command, network_mode="none", user="65534", read_only=True, remove=True
    )
    return output.decode()


def test_the_python_image_runs_this_pythons_version_with_its_extensions(docker_client, python_image):
    code = "import ctypes, ssl, sqlite3, sys; print(*sys.version_info[:3], sys.prefix)"
    version = " ".join(map(str, sys.version_info[:3]))
    assert printed(docker_client, python_image, "python3", "-c", code) == f"{version} /usr/local\n"


@pytest.mark.parametrize("name", ["python_image", "busybox_image"])
def test_images_have_a_shell(request, docker_client, name):
    assert printed(docker_client, request.getfixturevalue(name), "sh", "-c", "echo here | cat") == "here\n"


def test_the_busybox_image_has_no_python(docker_client, busybox_image):
    found = printed(docker_client, busybox_image, "sh", "-c", "ls /bin /usr/bin /usr/local/bin 2>&1; true")
    assert "python" not in found


def test_the_static_image_holds_one_program_and_no_libraries(docker_client, static_image):
    assert (
        printed(docker_client, static_image, "/busybox", "ls", "/") == "busybox\ndev\netc\nproc\nsys\ntmp\n"
    )


def test_an_image_is_made_once(docker_client, busybox_image):
    made = docker_client.images.get(busybox_image).id
    assert images.busybox_image(docker_client) == busybox_image
    assert docker_client.images.get(busybox_image).id == made
