"""What belongs to one account is, for every other on every route, just like what does not exist."""

import re

import pytest

from tests.unit.api.test_gates import ROUTES

ABSENT = "5b0e0000-0000-4000-8000-00000000abcd"
WITH_NAMES = [
    route
    for route in ROUTES
    if "{" in route and " /v1/admin/" not in route and " /v1/computing/" not in route
]

BODIES = {"/jobname": {"name": "taken over"}}  # where an empty object would be refused before anyone looks


@pytest.fixture
def belongings(ada, pack) -> dict[str, str]:
    """Return what Ada's things are called, by the parameter that names them."""
    app = ada.post("/v1/dev/apps", json={"data": pack()}).json()
    ada.post("/v1/dev/apps/hello/activate")
    engine = ada.post("/v1/dev/engines", json={"data": pack(name="cut", type="partitioner")}).json()
    template = {"id": "mine", "app": "hello", "partitioner": "passthrough", "assembler": "passthrough"}
    ada.post("/v1/dev/templates", json=template)
    source = {"dataSource": {"dataSourceDescriptor": "bypass"}}
    job = ada.post("/v1/customer/jobs", json={"templateId": "mine"} | source).json()["job"]
    ada.post(f"/v1/customer/jobs/{job['id']}/run")
    secret = {"id": "credentials", "secretType": "aws", "accessKey": "public"}
    ada.post("/v1/auth/secrets", json={"secret": secret, "secretKey": "a key that nobody else may see"})
    key_id = ada.get("/v1/auth/api_keys").json()["apiKeys"][0]["id"]
    return {
        "appTag": app["id"],
        "engineTag": engine["id"],
        "templates": "mine",
        "job_id": job["id"],
        "task_id": f"{job['id'][:-4]}0000",
        "api_keys": key_id,
        "secretType": "aws",
        "secrets": "credentials",
    }


def named(route: str, names: dict[str, str]) -> str:
    """Return the path of a route with its parameters filled in; plain `id` is told apart by what stands before."""

    def fill(found: re.Match[str]) -> str:
        name = found[2].partition(":")[0]
        return (
            f"{found[1]}/{names[found[1] if name in ('id', 'secret_id', 'key_id', 'template_id') else name]}"
        )

    path = route.split(" ")[1].replace("/{secretType}/{id}", f"/{names['secretType']}/{names['secrets']}")
    return re.sub(r"(\w+)/\{([^}]+)\}", fill, path)


@pytest.mark.parametrize("route", WITH_NAMES)
def test_others_things_are_as_good_as_absent(ada, bob, belongings, route):
    method = route.split(" ")[0]
    absent = belongings | dict.fromkeys(belongings.keys() - {"secretType"}, ABSENT)
    texts = []
    for names in (belongings, absent):
        body = next((body for end, body in BODIES.items() if route.endswith(end)), {})
        answer = bob.request(method, named(route, names), json=body)
        assert answer.status_code == 404, answer.text
        text = re.sub(r'"requestId":"[0-9a-f]+"', "", answer.text)
        for name in names.values():
            text = text.replace(name, "…") if name != "aws" else text
        texts.append(text)
    assert texts[0] == texts[1]


def test_what_belongs_to_one_account_is_in_no_list_of_another(ada, bob, belongings):
    lists = [route.split(" ")[1] for route in ROUTES if route.startswith("GET ") and "{" not in route]
    for path in lists:
        if path.startswith("/v1/admin/") or path.endswith("/events"):
            continue
        text = bob.get(path).text
        assert not [name for name in belongings.values() if len(name) > 20 and name in text], path
