from gridloom.errors import StoreUnavailable


def test_a_running_process_is_healthy_and_ready(anonymous):
    assert anonymous.get("/healthz").json()["ok"] is True
    assert anonymous.get("/readyz").json()["ok"] is True


def test_without_its_store_it_is_healthy_but_not_ready(anonymous, monkeypatch):
    def info(key):
        raise StoreUnavailable("the store is away")

    monkeypatch.setattr(anonymous.context.store, "info", info)
    assert anonymous.get("/healthz").status_code == 200
    answer = anonymous.get("/readyz")
    assert (answer.status_code, answer.json()["message"]) == (503, "the store is away")
    assert answer.headers["retry-after"] == "1"
