"""Tests of `gridloom wallet`."""

import json

ENTRY = {
    "id": "t1",
    "createdAt": "2026-01-02T03:04:05Z",
    "transactionType": "coupon",
    "amount": 6.89e-06,
    "balance": 10,
    "description": "Promo",
}
PAGE = {"data": [ENTRY], "pagination": {"total": 9, "offset": 0, "hasNext": True}}


def test_the_balance_is_shown(fabric, gridloom):
    fabric.answers["GET", "/v1/wallet/balance"] = {"totalBalance": 3, "availableBalance": 2.5}
    assert gridloom("wallet", "balance")[1] == "totalBalance      3\navailableBalance  2.5\n"
    assert json.loads(gridloom("wallet", "balance", "--json")[1])["totalBalance"] == 3


def test_transactions_are_listed_with_exact_amounts(fabric, gridloom):
    fabric.answers["GET", "/v1/wallet/transactions"] = PAGE
    out = gridloom("wallet", "transactions", "--limit", 1)[1].splitlines()
    assert out[1].split()[:5] == ["2026-01-02", "03:04:05", "coupon", "0.00000689", "10"]
    assert "9 in all" in out[2]


def test_transactions_are_filtered(fabric, gridloom):
    fabric.answers["POST", "/v1/wallet/transactions/filter"] = PAGE
    gridloom("wallet", "transactions", "--type", "coupon", "--since", "2026-01-01", "--until", "2026-02-01")
    [body] = fabric.bodies("POST", "/v1/wallet/transactions/filter")
    assert [(it["field"], it["condition"], it["value"]) for it in body["filters"]] == [
        ("transactionType", "FILTER_CONDITION_EQ", "coupon"),
        ("createdAt", "FILTER_CONDITION_GTE", "2026-01-01T00:00:00+00:00"),
        ("createdAt", "FILTER_CONDITION_LT", "2026-02-01T00:00:00+00:00"),
    ]


def test_csv_is_printed_as_it_comes(fabric, gridloom):
    fabric.answers["GET", "/v1/wallet/transactions/csv"] = {"csv": "date,type\n1,2\n"}
    assert gridloom("wallet", "transactions", "--csv")[1] == "date,type\n1,2\n"
    assert gridloom("wallet", "transactions", "--csv", "--json")[0] == 2
    assert gridloom("wallet", "transactions", "--csv", "--type", "coupon")[0] == 2


def test_prices_usage_coupons_and_top_ups(fabric, gridloom):
    fabric.answers["GET", "/v1/wallet/rates"] = {
        "rates": [{"name": "vCPU", "type": "cpu", "unit": "hour", "rate": 1}]
    }
    fabric.answers["GET", "/v1/wallet/usage"] = {
        "total": 4,
        "data": [{"date": "2026-01-02", "templateId": "t", "amount": 4}],
    }
    fabric.answers["POST", "/v1/wallet/redeem_coupon"] = {"id": "c", "code": "X", "amount": "2.50000000"}
    fabric.answers["POST", "/v1/wallet/top_up"] = {"url": "https://shop.test"}
    assert "vCPU  cpu   1          hour" in gridloom("wallet", "rates")[1]
    assert "2026-01-02  t         4\nin all 4" in gridloom("wallet", "usage", "--month", "2026-01")[1]
    assert fabric.queries[-1] == "month=2026-01"
    assert gridloom("wallet", "redeem", "X")[1] == "2.50000000 ByteChips\n"
    assert gridloom("wallet", "top-up", "5")[1] == "https://shop.test\n"
    assert fabric.bodies("POST", "/v1/wallet/top_up") == [{"amount": "5"}]
    assert gridloom("wallet", "top-up", "many")[0] == 2
