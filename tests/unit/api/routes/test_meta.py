import pytest

APIS = ["auth", "dev", "customer", "computing", "wallet"]


@pytest.mark.parametrize("api", APIS)
def test_every_api_describes_itself_without_a_token(anonymous, api):
    specification = anonymous.get(f"/v1/{api}/docs/swagger.json").json()
    assert specification["openapi"].startswith("3.")
    assert specification["servers"] == [{"url": f"/v1/{api}"}]
    assert "/info" in specification["paths"]
    page = anonymous.get(f"/v1/{api}/docs/")
    assert page.headers["content-type"].startswith("text/html")
    assert f"/v1/{api}/info" in page.text


def test_the_specification_says_which_calls_need_a_token(anonymous):
    paths = anonymous.get("/v1/dev/docs/swagger.json").json()["paths"]
    assert all("security" in operation for operations in paths.values() for operation in operations.values())
    assert "/apps/{appTag}/status" in paths
    assert (
        "security" not in anonymous.get("/v1/auth/docs/swagger.json").json()["paths"]["/access_token"]["post"]
    )


def test_info_tells_the_version(ada):
    assert set(ada.get("/v1/dev/info").json()["version"]) == {"major", "minor", "tag"}
