"""Tests of `gridloom admin coupon` and `gridloom admin grant`."""

COUPON = {"id": "c", "code": "SPRING", "amount": 10, "uses": 3, "used": 1}
ADA = "9e3f72f8-d180-4c1c-be40-4c5c00adce5b"


def test_a_coupon_is_made(fabric, gridloom):
    fabric.answers["POST", "/v1/admin/coupons"] = COUPON
    command = ("admin", "coupon", "add", "10.5", "--code", "SPRING", "--uses", 3, "--expires", "2027-01-31")
    assert gridloom(*command)[1] == "SPRING\n"
    assert fabric.bodies("POST", "/v1/admin/coupons") == [
        {"code": "SPRING", "amount": "10.5", "uses": 3, "expiresAt": "2027-01-31T00:00:00+00:00"}
    ]


def test_a_coupon_without_a_code_gets_one_that_nobody_guesses(fabric, gridloom):
    fabric.answers["POST", "/v1/admin/coupons"] = COUPON
    gridloom("admin", "coupon", "add", "10")
    gridloom("admin", "coupon", "add", "10")
    first, second = (it["code"] for it in fabric.bodies("POST", "/v1/admin/coupons"))
    assert first != second
    assert len(first) >= 16
    assert (first + second).isalnum()  # nor may a command take it for an option


def test_coupons_are_listed(fabric, gridloom):
    fabric.answers["GET", "/v1/admin/coupons"] = {"data": [COUPON]}
    assert "SPRING  10         1/3" in gridloom("admin", "coupon", "list")[1]


def test_an_account_is_given_bytechips(fabric, gridloom):
    fabric.answers["POST", "/v1/admin/grants"] = {"amount": 5, "balance": 15}
    out = gridloom("admin", "grant", ADA, "5", "--reference", "INV-7", "--description", "Welcome")[1]
    assert out == f"{ADA} was given 5 ByteChips and has 15\n"
    assert fabric.bodies("POST", "/v1/admin/grants") == [
        {"amount": "5", "accountId": ADA, "reference": "INV-7", "description": "Welcome"}
    ]
