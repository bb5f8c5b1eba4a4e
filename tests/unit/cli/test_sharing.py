"""Tests of what apps, engines and templates have alike."""

import pytest

PLACES = {"app": "/v1/dev/apps/x", "engine": "/v1/dev/engines/x", "template": "/v1/dev/templates/x"}


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize(
    ("verb", "said"), [("publish", "x published\n"), ("unpublish", "x is private again\n")]
)
def test_one_is_published_and_made_private_again(fabric, gridloom, kind, verb, said):
    fabric.answers["POST", f"{PLACES[kind]}/{verb}"] = {"ok": True}
    assert gridloom(kind, verb, "x") == (0, said, "")


@pytest.mark.parametrize("kind", PLACES)
def test_one_of_another_user_is_imported(fabric, gridloom, kind):
    fabric.answers["POST", f"{PLACES[kind]}/import"] = {kind: {"name": "mine"}}
    assert gridloom(kind, "import", "x", "--user", "ada", "--name", "mine")[0] == 0
    assert fabric.bodies("POST", f"{PLACES[kind]}/import") == [{"userName": "ada", "name": "mine"}]


@pytest.mark.parametrize("kind", PLACES)
def test_one_is_deleted_after_a_yes(fabric, gridloom, kind):
    fabric.answers["DELETE", PLACES[kind]] = {"ok": True}
    code, _, err = gridloom(kind, "delete", "x")
    assert code == 2
    assert "--yes" in err
    assert fabric.bodies("DELETE", PLACES[kind]) == []
    assert gridloom(kind, "delete", "x", stdin="y\n", at_terminal=True)[0] == 0
    assert gridloom(kind, "delete", "x", stdin="n\n", at_terminal=True)[0] == 1
    assert len(fabric.bodies("DELETE", PLACES[kind])) == 1
