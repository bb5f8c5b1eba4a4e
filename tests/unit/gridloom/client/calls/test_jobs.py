"""Tests of looks at both ends, and of a delivery that is asked for again; every one with both clients."""

END = {"dataSourceDescriptor": "s3", "params": {"bucketName": "b"}}
PATH = "/v1/customer/datasource/test"
FOUND = {
    "permissions": {"list": True, "read": False, "write": None},
    "count": 2,
    "totalSize": "70000000000",
    "truncated": True,
    "after": "b",
    "problems": ["the secret lacks the permission to read"],
}


def test_both_ends_are_looked_at_page_by_page(script, connect):
    script.answers = [FOUND, {}]
    client = connect()
    found = client.do("test_data_source", END, list_files=True, path="/", after="a", limit=2)
    assert (found.permissions.list, found.permissions.read, found.permissions.write) == (True, False, None)
    assert (found.count, found.total_size, found.truncated, found.after) == (2, 70_000_000_000, True, "b")
    assert found.problems == ("the secret lacks the permission to read",)
    older = client.do("test_data_destination", END)
    assert (older.reachable, older.permissions.write, older.problems) == (True, None, ())
    page = {"listFiles": True, "path": "/", "after": "a", "limit": 2}
    assert script.calls == [
        ("POST", PATH, {"dataSource": END} | page),
        ("POST", PATH, {"dataDestination": END, "listFiles": False}),
    ]


def test_output_is_delivered_again_to_the_same_or_to_another_place(script, connect):
    script.answers = [{"message": "delivering"}, {}]
    client = connect()
    client.do("redeliver_job", "j")
    client.do("redeliver_job", "j", END)
    path = "/v1/customer/jobs/j/redeliver"
    assert script.calls == [("POST", path, {}), ("POST", path, {"dataDestination": END})]
