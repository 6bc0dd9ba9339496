import base64
import json

import httpx
import pytest

from tests.sandbox.genova_customers import GenovaCustomer, NewGenova
from tests.sandboxes import Sandbox


def me(genova: GenovaCustomer, **headers: str) -> httpx.Response:
    return httpx.get(f"{genova.account['base_url']}/api/user/me", headers=headers)


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-api-key": ""}, {"x-api-key": "af_wrong"}, {"authorization": "Bearer a.b.c"}, {"authorization": "Basic eA=="},
     {"authorization": "Bearer"}],
)  # fmt: skip
def test_a_missing_or_wrong_credential_is_a_401(genova: GenovaCustomer, headers: dict[str, str]) -> None:
    response = me(genova, **headers)
    assert (response.status_code, response.json()["error"]) == (401, "Unauthorized")


def test_a_jwt_opens_the_account_until_it_expires(own_sandbox: Sandbox, new_genova: NewGenova) -> None:
    genova = new_genova(at=own_sandbox)
    bearer = {"authorization": f"Bearer {genova.account['jwt']}"}
    assert me(genova, **bearer).json()["id"] == genova.account["user_id"]
    own_sandbox.control("POST", "/clock", {"advance": 86_401})
    assert me(genova, **bearer).status_code == 401
    fresh = own_sandbox.account(genova.account)["jwt"]
    assert me(genova, authorization=f"Bearer {fresh}").status_code == 200


def test_a_jwt_whose_claims_or_algorithm_were_changed_opens_nothing(genova: GenovaCustomer) -> None:
    head, claims, signature = genova.account["jwt"].split(".")
    stated = json.loads(base64.urlsafe_b64decode(claims + "=="))
    later = base64.urlsafe_b64encode(json.dumps(stated | {"exp": stated["exp"] + 9}).encode()).decode().rstrip("=")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    for token in (f"{head}.{later}.{signature}", f"{unsigned}.{claims}.", f"{unsigned}.{claims}.{signature}"):
        assert me(genova, authorization=f"Bearer {token}").status_code == 401


def test_several_keys_work_at_once_until_each_is_revoked(genova: GenovaCustomer) -> None:
    made = [genova.http.post("/api/keys", json={"name": name}) for name in ("one", "two")]
    assert [answer.status_code for answer in made] == [201, 201]
    one, two = (answer.json() for answer in made)
    assert one["key"].startswith("af_")
    assert one["key"].startswith(one["prefix"])
    for key in (one["key"], two["key"], genova.account["api_key"]):
        assert me(genova, **{"x-api-key": key}).status_code == 200
    assert genova.http.delete(f"/api/keys/{one['id']}").json() == {"success": True}
    assert me(genova, **{"x-api-key": one["key"]}).status_code == 401
    assert me(genova, **{"x-api-key": two["key"]}).status_code == 200
    assert genova.http.delete(f"/api/keys/{one['id']}").status_code == 404


def test_the_list_of_keys_never_shows_one_whole(genova: GenovaCustomer) -> None:
    made = genova.http.post("/api/keys", json={"name": "mine"}).json()
    response = genova.http.get("/api/keys")
    assert made["key"] not in response.text
    assert genova.account["api_key"] not in response.text
    shown = {key["name"]: key for key in response.json()["keys"]}
    assert shown.keys() == {"Default", "mine"}
    assert (shown["mine"]["last_used_at"], shown["Default"]["last_used_at"] is None) == (None, False)


def test_a_revoked_key_can_be_the_one_in_hand(genova: GenovaCustomer) -> None:
    (key,) = genova.http.get("/api/keys").json()["keys"]
    assert genova.http.delete(f"/api/keys/{key['id']}").status_code == 200
    assert genova.http.get("/api/keys").status_code == 401


def test_a_key_of_another_account_cannot_be_revoked(new_genova: NewGenova) -> None:
    mine, other = new_genova(), new_genova()
    key = mine.http.post("/api/keys", json={"name": "mine"}).json()
    assert other.http.delete(f"/api/keys/{key['id']}").status_code == 404
    assert me(mine, **{"x-api-key": key["key"]}).status_code == 200


def test_a_made_key_counts_as_leaked_where_it_arrives_at_the_media_origin(own_sandbox: Sandbox, new_genova: NewGenova) -> None:
    genova = new_genova(at=own_sandbox)
    key = genova.http.post("/api/keys", json={"name": "mine"}).json()["key"]
    httpx.get(f"{own_sandbox.media_url}/files/x?secret={key}")
    (leak,) = own_sandbox.control("GET", "/requests")["leaked_credentials"]
    assert leak == {"provider": "genova", "account": genova.account["account"], "count": 1}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_the_name_can_be_changed_and_credits_are_told(genova: GenovaCustomer, method: str) -> None:
    genova.buy()
    changed = genova.http.request(method, "/api/user/me", json={"name": "New Name"})
    assert changed.status_code == 200
    assert genova.http.get("/api/user/me").json() == changed.json() == {
        "id": genova.account["user_id"],
        "email": f"{genova.account['account']}@sandbox.invalid",
        "name": "New Name",
        "plan": "business",
        "subscription_status": "active",
        "credits_remaining": 9_999,
        "credits_used": 1,
    }  # fmt: skip


@pytest.mark.parametrize(("path", "method"), [("/api/user/me", "PUT"), ("/api/keys", "POST")])
@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": 7}])
def test_a_name_is_needed(genova: GenovaCustomer, path: str, method: str, body: dict[str, object]) -> None:
    assert genova.http.request(method, path, json=body).status_code == 400


def test_the_statistics_count_what_became_of_the_jobs(new_genova: NewGenova) -> None:
    genova = new_genova(settings={"looks": [0, 0]})
    genova.sandbox.fault(genova.account, "fail", after=1)
    done, failed = genova.buy(), genova.buy()
    genova.finish(done)
    genova.finish(failed)
    genova.buy(type="video", model="veo2_fast")
    assert genova.http.get("/api/user/stats").json() == {
        "total_jobs": 3,
        "completed_jobs": 1,
        "failed_jobs": 1,
        "active_jobs": 1,
        "image_count": 2,
        "video_count": 1,
        "credits_remaining": 9_997,
    }


def test_a_reset_revokes_made_keys_and_gives_the_first_one_back(genova: GenovaCustomer) -> None:
    made = genova.http.post("/api/keys", json={"name": "mine"}).json()
    first = next(key for key in genova.http.get("/api/keys").json()["keys"] if key["name"] == "Default")
    genova.http.delete(f"/api/keys/{first['id']}")
    genova.sandbox.control("POST", "/reset", {"provider": "genova", "account": genova.account["account"]})
    assert me(genova, **{"x-api-key": made["key"]}).status_code == 401
    assert genova.http.get("/api/user/me").json()["credits_used"] == 0
