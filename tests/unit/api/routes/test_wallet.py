"""The wallet: chips that are granted, redeemed and paid, and how its owner sees them."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from gridloom.money import UNIT
from gridloom.settings import Settings
from scheduler import ending
from storage.repositories import wallet
from storage.tables import jobs


@pytest.fixture
def admin(anonymous, settings):
    """Return a client of the account that every fabric begins with."""
    key = json.loads(settings.bootstrap_file.read_text())["apiKey"]
    token = anonymous.post("/v1/auth/access_token", json={"apiKey": key}).json()["token"]
    return type(anonymous)(anonymous.portal, anonymous.app, {"Authorization": token})


def get(client, path):
    answer = client.get(f"/v1/wallet/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def balance(client):
    return [get(client, "balance")[name] for name in ("totalBalance", "availableBalance", "amountDue")]


def grant(admin, amount, user="ada", **members):
    return admin.post("/v1/admin/grants", json={"userName": user, "amount": amount} | members)


def end_job(client, job, price):
    """Run a job and end it after tasks of this price."""
    assert client.post(f"/v1/customer/jobs/{job['id']}/run").status_code == 200

    def end(connection):
        connection.execute(update(jobs).where(jobs.c.id == job["id"]).values(price=price))
        assert ending.abort(connection, job["id"], Settings())

    client.context.writer.run(end)


def test_a_new_wallet_is_empty(ada):
    assert balance(ada) == [0, 0, 0]
    answer = get(ada, "transactions")
    assert (answer["data"], answer["pagination"]["total"]) == ([], 0)
    assert list(csv.reader(io.StringIO(get(ada, "transactions/csv")["csv"]))) == [
        ["date", "type", "description", "amount", "currency amount", "balance"]
    ]


@pytest.mark.parametrize("settings", [{"signup_credits": "2.5"}], indirect=True)
def test_who_signs_up_gets_the_first_credits(admin):
    created = admin.post("/v1/admin/users", json={"userName": "eve", "issueKey": True})
    assert created.status_code == 200
    token = admin.post("/v1/auth/access_token", json={"apiKey": created.json()["apiKey"]}).json()["token"]
    admin.headers = {"Authorization": token}
    assert balance(admin) == [2.5, 2.5, 0]


def test_an_operator_grants_chips(admin, ada):
    answer = grant(admin, 12.00000001, reference="invoice 7", currency="USD", currencyAmount=3)
    assert answer.status_code == 200, answer.text
    seen = get(ada, "transactions")["data"]
    assert seen == [answer.json()]
    assert (seen[0]["transactionType"], seen[0]["description"]) == ("top_up", "User Top-Up")
    assert (seen[0]["accountFrom"], seen[0]["amount"], seen[0]["balance"]) == (
        "house:grants",
        12.00000001,
        12.00000001,
    )
    assert (seen[0]["relatedEntityData"]["currency"], seen[0]["relatedEntityData"]["currencyAmount"]) == (
        "USD",
        3,
    )
    assert len(seen[0]["hash"]) == 64
    assert grant(admin, 1, reference="invoice 7").status_code == 400
    assert balance(ada)[0] == 12.00000001


def test_a_grant_that_makes_no_sense_is_refused(admin, ada):
    for body, status, field in (
        ({"userName": "ada", "amount": 0}, 400, "amount"),
        ({"userName": "ada", "amount": -1}, 400, "amount"),
        ({"userName": "ada", "amount": 1e-9}, 400, "amount"),
        ({"userName": "ada", "amount": 1e12}, 400, "amount"),
        ({"userName": "ada", "amount": "NaN"}, 400, "amount"),
        ({"amount": 1}, 400, "accountId"),
        ({"userName": "nobody", "amount": 1}, 404, ""),
        ({"accountId": "nobody", "amount": 1}, 404, ""),
    ):
        answer = admin.post("/v1/admin/grants", json=body)
        assert answer.status_code == status, answer.text
        fields = [it["fieldViolations"][0]["field"] for it in answer.json()["details"]]
        assert fields == ([field] if field else [])
    assert balance(ada) == [0, 0, 0]


def test_only_operators_give_out_chips(ada):
    assert grant(ada, 1).status_code == 403
    assert ada.post("/v1/admin/coupons", json={"code": "A", "amount": 1}).status_code == 403
    assert ada.get("/v1/admin/coupons").status_code == 403


def test_a_coupon_is_redeemed_once_by_each_account_and_so_many_times_in_all(admin, ada, bob):
    made = admin.post("/v1/admin/coupons", json={"code": "SPRING", "amount": "2.5", "uses": 2})
    assert made.status_code == 200, made.text
    assert admin.post("/v1/admin/coupons", json={"code": "SPRING", "amount": 1}).status_code == 400

    def redeem(client, code=" SPRING "):
        return client.post("/v1/wallet/redeem_coupon", json={"couponCode": code})

    assert redeem(ada).json() == {"id": made.json()["id"], "code": "SPRING", "amount": "2.50000000"}
    assert (redeem(ada).status_code, redeem(ada, "AUTUMN").status_code) == (400, 404)
    assert redeem(bob).status_code == 200
    assert "used up" in redeem(admin).json()["message"]
    assert [balance(it)[0] for it in (ada, bob, admin)] == [2.5, 2.5, 0]
    row = get(ada, "transactions")["data"][0]
    assert (row["transactionType"], row["description"]) == ("coupon", "Promo Code: SPRING")
    assert row["relatedEntityData"]["couponCode"] == "SPRING"
    listed = admin.get("/v1/admin/coupons").json()
    assert [(it["code"], it["used"], it["uses"]) for it in listed["data"]] == [("SPRING", 2, 2)]


def test_a_coupon_that_no_clock_ends_is_refused(admin):
    body = {"code": "NEVER", "amount": 1, "expiresAt": "9999-12-31T23:59:59-14:00"}
    assert "expiresAt" in admin.post("/v1/admin/coupons", json=body).json()["message"]
    assert admin.get("/v1/admin/coupons").json()["data"] == []


def test_an_expired_coupon_is_worth_nothing(admin, ada):
    body = {"code": "OLD", "amount": 1, "expiresAt": "2020-01-01T00:00:00Z"}
    assert admin.post("/v1/admin/coupons", json=body).status_code == 200
    answer = ada.post("/v1/wallet/redeem_coupon", json={"couponCode": "OLD"})
    assert (answer.status_code, balance(ada)[0]) == (400, 0)


def test_a_job_is_paid_at_its_end_and_what_lacks_is_granted_while_credits_are_off(hello, draft):
    job = draft(name="=1+1")
    end_job(hello, job, 19_05518337)
    payment, automatic = get(hello, "transactions")["data"]
    assert (payment["transactionType"], payment["description"]) == ("payment", "=1+1")
    assert (payment["amount"], payment["accountTo"]) == (19.05518337, "house:fabric")
    assert payment["relatedEntity"] == {"type": "job", "id": job["id"], "name": "=1+1"}
    data = payment["relatedEntityData"]
    assert (data["jobId"], data["jobName"], data["jobTemplate"]) == (job["id"], "=1+1", "hello-template")
    assert data["currencyAmount"] == 0
    assert (automatic["transactionType"], automatic["amount"]) == ("top_up", 1000)
    assert balance(hello) == [980.94481663, 980.94481663, 0]
    shown = hello.get(f"/v1/customer/jobs/{job['id']}").json()["job"]
    assert shown["paymentAmount"] == 19.05518337
    table = list(csv.reader(io.StringIO(get(hello, "transactions/csv")["csv"])))
    assert [row[1:] for row in table[1:]] == [
        ["payment", "'=1+1", "19.05518337", "0.00", "980.94481663"],
        ["top_up", "Automatic grant", "1000.00000000", "0.00", "1000.00000000"],
    ]


def test_a_draft_that_is_thrown_away_costs_nothing_and_a_job_without_a_completed_task_costs_0(hello, draft):
    assert hello.post(f"/v1/customer/jobs/{draft()['id']}/abort").status_code == 200
    end_job(hello, draft(), 0)
    assert [(it["transactionType"], it["amount"]) for it in get(hello, "transactions")["data"]] == [
        ("payment", 0)
    ]


@pytest.mark.parametrize("settings", [{"credits": "enforce"}], indirect=True)
def test_where_credits_count_a_job_needs_funds_which_are_set_aside_until_it_ends(hello, draft, admin):
    # The app asks for 2 cores, and nothing is known of it: 10 minutes of one task are likely.
    first, second = draft(), draft()
    refused = hello.post(f"/v1/customer/jobs/{first['id']}/run")
    assert refused.status_code == 400
    assert refused.json()["details"][0]["fieldViolations"][0]["field"] == "balance"
    grant(admin, 0.5)
    assert hello.post(f"/v1/customer/jobs/{first['id']}/run").status_code == 200
    assert balance(hello) == [0.5, 0.16666667, 0]
    assert hello.post(f"/v1/customer/jobs/{second['id']}/run").status_code == 400
    assert hello.get(f"/v1/customer/jobs/{second['id']}").json()["job"]["state"] == "JOB_STATE_NEW"
    assert hello.post(f"/v1/customer/jobs/{first['id']}/abort").status_code == 200
    assert balance(hello) == [0.5, 0.5, 0]
    end_job(hello, second, 2 * UNIT)
    assert balance(hello) == [-1.5, -1.5, 1.5]


def test_transactions_are_paged_and_filtered(admin, ada):
    for number in range(1, 6):
        grant(admin, number, description=f"grant {number}")
    page = ada.get("/v1/wallet/transactions?pagination.limit=2&pagination.offset=1").json()
    assert [it["amount"] for it in page["data"]] == [4, 3]
    assert page["pagination"] == {"total": 5, "offset": 1, "hasPrevious": True, "hasNext": True}

    def filtered(*filters, **body):
        members = [{"field": name, "condition": how, "value": value} for name, how, value in filters]
        answer = ada.post("/v1/wallet/transactions/filter", json={"filters": members, **body})
        assert answer.status_code == 200, answer.text
        return [it["amount"] for it in answer.json()["data"]]

    assert filtered() == [5, 4, 3, 2, 1]
    assert filtered(("amount", "GTE", 4)) == [5, 4]
    assert filtered(("amount", "EQ", 3), ("transactionType", "EQ", "top_up")) == [3]
    assert filtered(("transaction_type", "EQ", "coupon")) == []
    assert filtered(("description", "LIKE", "%2")) == [2]
    assert filtered(("balance", "LT", 4), orderBy="amount asc") == [1, 2]
    assert filtered(("createdAt", "GT", "2020-01-01T00:00:00Z"), pagination={"limit": 1}) == [5]
    assert filtered(("accountFrom", "EQ", "house:grants"), orderBy="amount") == [1, 2, 3, 4, 5]
    assert filtered(("relatedEntityData.jobTemplate", "EQ", "t")) == []
    for body in ({"orderBy": "secret"}, {"filters": [{"field": "settles", "value": "x"}]}):
        assert ada.post("/v1/wallet/transactions/filter", json=body).status_code == 400


def test_nobody_sees_what_another_has(admin, ada, bob):
    grant(admin, 1)
    assert balance(bob) == [0, 0, 0]
    assert get(bob, "transactions")["data"] == []
    filters = [{"field": "description", "condition": "LIKE", "value": "%"}]
    assert bob.post("/v1/wallet/transactions/filter", json={"filters": filters}).json()["data"] == []


def test_the_price_list_names_what_manifests_ask_for(ada):
    answer = get(ada, "rates")
    assert answer["gpus"] == ["nvidia a100-sxm4-40gb", "nvidia geforce rtx 4090", "tesla t4"]
    rates = {it["name"]: (it["type"], it["unit"], it["rate"]) for it in answer["rates"]}
    assert rates["vCPU"] == ("cpu", "hour", 1)
    assert rates["GiB"] == ("memory", "hour", 1)
    assert rates["tesla t4"] == ("gpu", "hour", 8)


def test_currency_is_converted_at_the_fabrics_price(ada):
    one = {"currency": "USD", "currencyAmount": 1, "exchangeRate": 0.0331, "amount": 30.21148036}
    assert get(ada, "exchange_rate") == one
    assert get(ada, "exchange_rate?currency=usd&currencyAmount=3.31")["amount"] == 100
    for query in ("currency=EUR", "currencyAmount=-1", "currencyAmount=nan", "currencyAmount=x"):
        assert ada.get(f"/v1/wallet/exchange_rate?{query}").status_code == 400


def test_chips_are_not_sold_unless_the_operator_names_a_shop(ada):
    assert ada.post("/v1/wallet/top_up", json={"amount": 10}).status_code == 403
    assert "operator" in ada.get("/v1/wallet/customer_portal").json()["message"]


@pytest.mark.parametrize("settings", [{"payment_url": "https://pay.test/shop?x=1"}], indirect=True)
def test_a_shop_is_told_who_wants_how_much(ada):
    account = get(ada, "balance")["accountId"]
    answer = ada.post("/v1/wallet/top_up", json={"amount": 10}).json()
    assert answer == {"url": f"https://pay.test/shop?x=1&account={account}&amount=10.00000000"}
    bought = ada.post("/v1/wallet/top_up", json={"currency": "USD", "currencyAmount": "3.31"}).json()
    assert bought["url"].endswith("amount=100.00000000")
    assert get(ada, "customer_portal") == {"url": f"https://pay.test/shop?x=1&account={account}"}
    assert ada.post("/v1/wallet/top_up", json={"amount": -1}).status_code == 400
    assert get(ada, "transactions")["data"] == []


def test_usage_sums_each_day_and_template_of_a_month(hello, draft):
    for price in (1, 2):
        end_job(hello, draft(), price * UNIT)
    today = datetime.now(UTC)
    usage = get(hello, "usage")
    assert usage["total"] == 3
    assert sum(it["amount"] for it in usage["data"]) == 3
    assert {it["templateId"] for it in usage["data"]} == {"hello-template"}
    assert usage["data"][-1]["date"][:7] == f"{today:%Y-%m}"
    assert get(hello, f"usage?month={today:%Y-%m}&templateId=hello-template")["total"] == 3
    assert get(hello, "usage?month=2020-02") == {"total": 0, "data": []}
    assert get(hello, "usage?templateId=other")["data"] == []
    for month in ("2026-13", "x", "0000-01"):
        assert hello.get(f"/v1/wallet/usage?month={month}").status_code == 400


def test_the_hash_of_each_transaction_covers_the_one_before(admin, ada):
    for _ in range(3):
        grant(admin, 1)
    rows = get(ada, "transactions")["data"]
    previous = ""
    for row in reversed(rows):
        members = {
            "id": row["id"],
            "kind": row["transactionType"],
            "settles": row["transactionData"],
            "account_from": row["accountFrom"],
            "account_to": row["accountTo"],
            "amount": round(row["amount"] * UNIT),
            "description": row["description"],
            "created_at": datetime.fromisoformat(row["createdAt"]),
        }
        assert row["hash"] == wallet.digest(previous, members)
        previous = row["hash"]
