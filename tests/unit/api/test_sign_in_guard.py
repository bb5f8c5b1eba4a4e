import pytest


@pytest.mark.parametrize("settings", [{"sign_in_limit": "3/hour"}], indirect=True)
def test_an_address_that_guesses_keys_has_to_wait(anonymous):
    def guess():
        return anonymous.post("/v1/auth/access_token", json={"apiKey": "glk_guess"})

    assert [guess().status_code for _ in range(4)] == [401, 401, 401, 429]
    assert int(guess().headers["retry-after"]) >= 1
    assert guess().json()["message"].startswith("too many calls")


@pytest.mark.parametrize("settings", [{"sign_in_limit": "3/hour"}], indirect=True)
def test_good_keys_are_exchanged_as_often_as_one_likes(anonymous):
    for number in range(5):
        assert anonymous.new_user(f"user-{number}").get("/v1/customer/jobs").status_code == 200


@pytest.mark.parametrize("settings", [{"sign_in_limit": "2/hour"}], indirect=True)
def test_codes_count_each_time(anonymous):
    codes = [
        anonymous.post("/v1/auth/otp", json={"email": "a@b.example", "purpose": "login"}).status_code
        for _ in range(3)
    ]
    assert codes[2] == 429
    assert 429 not in codes[:2]
