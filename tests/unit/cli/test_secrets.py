"""Tests of `gridloom secret`."""

import json

PATH = "/v1/auth/secrets"


def test_a_secret_key_comes_from_standard_input_and_is_never_printed(fabric, gridloom):
    fabric.answers["POST", PATH] = {"ok": True}
    code, out, err = gridloom(
        "secret", "save", "weights", "--type", "s3", "--access-key", "AK7", "--param", "region=eu",
        "--expires", "2027-01-31", stdin="s3cr3t\n",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "s3cr3t" not in out
    assert fabric.bodies("POST", PATH) == [
        {
            "secret": {
                "id": "weights",
                "secretType": "s3",
                "accessKey": "AK7",
                "expiresAt": "2027-01-31T00:00:00+00:00",
                "params": {"region": "eu"},
            },
            "secretKey": "s3cr3t",
        }
    ]


def test_a_secret_key_comes_from_a_file(fabric, gridloom, tmp_path):
    fabric.answers["POST", PATH] = {"ok": True}
    (tmp_path / "key").write_text("s3cr3t\n")
    assert gridloom("secret", "save", "weights", "--secret-key-file", tmp_path / "key")[0] == 0
    assert fabric.bodies("POST", PATH)[0]["secretKey"] == "s3cr3t"


def test_no_option_takes_a_secret_key(gridloom):
    assert gridloom("secret", "save", "weights", "--secret-key", "s3cr3t")[0] == 2
    assert gridloom("secret", "save", "weights", "s3cr3t")[0] == 2


def test_secrets_are_listed_by_type(fabric, gridloom):
    fabric.answers["GET", PATH] = {"secrets": [{"id": "weights", "secretType": "s3", "accessKey": "AK7"}]}
    assert "weights  s3" in gridloom("secret", "list", "--type", "s3")[1]
    assert fabric.queries[-1] == "secretType=s3"
    assert json.loads(gridloom("secret", "list", "--json")[1])["secrets"][0]["id"] == "weights"


def test_a_secret_is_deleted_after_a_yes(fabric, gridloom):
    fabric.answers["DELETE", f"{PATH}/s3/weights"] = {"ok": True}
    assert gridloom("secret", "delete", "weights", "--type", "s3")[0] == 2
    assert gridloom("secret", "delete", "weights", "--type", "s3", "--yes")[0] == 0
    assert len(fabric.bodies("DELETE", f"{PATH}/s3/weights")) == 1


def test_a_parameter_has_a_name(gridloom):
    code, _, err = gridloom("secret", "save", "weights", "--param", "region")
    assert code == 2
    assert "NAME=VALUE" in err
