"""Apps as they are offered, and the files they come from."""

import json
from pathlib import Path

import httpx
import pytest

from lamina_integration import LaminaClient, LaminaNotFound
from lamina_integration.sandbox import Sandbox, catalogue
from lamina_integration.wire import App
from tests.lamina_integration.sandbox.conftest import (
    CARTOONIFY,
    EVERY_KIND,
    EYEWEAR,
    KEYS,
    MARKETING,
    MOOD_BOARD,
    PREMIUM,
    TRY_ON,
    run_of,
    started,
)

SWIFT = "de5cca6b-73aa-4e27-a714-3339024db15d"
FULL_SET = "173692dd-0258-41bd-8a56-2cf9bbe89910"
SELFIE = "e0124407-d57a-4f76-ac5a-be0041e55a24"


def test_recipe_guide_s_apps_are_there(api: httpx.Client) -> None:
    listed = {item["appId"] for item in api.get("/v1/apps").json()["data"]}
    assert {MOOD_BOARD, PREMIUM, SWIFT, TRY_ON, EYEWEAR, MARKETING, FULL_SET, CARTOONIFY, EVERY_KIND} <= listed


def test_selfie_is_offered_with_the_parameters_that_are_known_of_it(lamina: Sandbox, api: httpx.Client) -> None:
    app = App.from_detail(api.get(f"/v1/apps/{SELFIE}").json()["data"])
    assert [parameter.key for parameter in app.parameters] == [
        "your_photo_image_url", "celebrity_text", "ai_designer_aspect_ratio",
    ]  # fmt: skip
    inputs = {"your_photo_image_url": f"{lamina.url}/samples/portrait.jpg", "celebrity_text": "Ada Lovelace"}
    lamina.complete(run_id := started(api, SELFIE, inputs=inputs))
    assert run_of(api, run_id)["outputs"][0]["status"] == "completed"


def test_search_and_limit_narrow_the_list(api: httpx.Client) -> None:
    found = api.get("/v1/apps", params={"search": "product TRY"}).json()["data"]
    assert [item["name"] for item in found] == ["Product Try on"]
    assert found[0]["inputSummary"]["total"] == 3
    assert len(api.get("/v1/apps", params={"limit": 2}).json()["data"]) == 2
    assert len(api.get("/v1/apps", params={"limit": "many"}).json()["data"]) > 2


def test_detail_is_served_as_the_file_says_without_the_played_part(api: httpx.Client) -> None:
    detail = api.get(f"/v1/apps/{FULL_SET}").json()["data"]
    assert set(detail) == {"appId", "name", "description", "parameters", "outputs"}
    names = [parameter["name"] for parameter in detail["parameters"]]
    assert "Model  Ethnicity" in names
    assert detail["parameters"][names.index("Model Body type")]["options"][0] == "Standard "
    assert all("key" not in parameter for parameter in detail["parameters"])


def test_defaults_can_be_fetched(api: httpx.Client) -> None:
    detail = api.get(f"/v1/apps/{FULL_SET}").json()["data"]
    answer = httpx.get(detail["parameters"][0]["default"])
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
    thumbnail = api.get("/v1/apps").json()["data"][0]["thumbnail"]["url"]
    assert httpx.get(thumbnail).status_code == 200


def test_every_kind_of_field_has_names_nobody_would_choose(lamina: Sandbox, api: httpx.Client) -> None:
    app = App.from_detail(api.get(f"/v1/apps/{EVERY_KIND}").json()["data"])
    names = [parameter.name for parameter in app.parameters]
    assert {"csrfmiddlewaretoken", "__proto__", "data.value[0]"} <= set(names)
    assert max(map(len, names)) == 300
    assert names.count("The same name") == 2
    assert {parameter.type for parameter in app.parameters} == {"text", "options", "url"}
    lamina.set(future_types=True)
    app = App.from_detail(api.get(f"/v1/apps/{EVERY_KIND}").json()["data"])
    assert {parameter.type for parameter in app.parameters} == {"text", "options", "url", "colour", "number"}


def test_estimate_says_what_a_run_costs_and_whether_it_can_be_paid(lamina: Sandbox, api: httpx.Client) -> None:
    answer = api.post(f"/v1/apps/{EYEWEAR}/estimate").json()["data"]
    assert answer["estimatedCredits"]["expected"] == sum(node["credits"] for node in answer["breakdown"]) == 240
    assert (answer["currentBalance"], answer["affordable"]) == (5000, True)
    lamina.set(out_of_credits=True)
    assert api.post(f"/v1/apps/{EYEWEAR}/estimate").json()["data"]["affordable"] is False


def test_unknown_app_is_not_found(api: httpx.Client) -> None:
    answer = api.get("/v1/apps/none")
    assert (answer.status_code, answer.json()["error"]) == (404, "App not found")
    with LaminaClient(base_url=str(api.base_url), api_key=KEYS[0]) as client:
        for odd in ("a/b", "..", "a%2Fb", "a?b#c"):
            with pytest.raises(LaminaNotFound, match="App not found"):
                client.apps.get(odd)


def write_app(folder: Path, **members: object) -> Path:
    document = {"appId": "a1", "name": "Mine", "parameters": [], "outputs": [{"type": "text"}]} | members
    path = folder / "mine.json"
    path.write_text(json.dumps(document))
    return path


def test_further_folder_adds_apps_and_a_private_one_is_its_workspace_s(tmp_path: Path) -> None:
    write_app(tmp_path, **{"x-sandbox": {"workspace": "other-shop"}})
    with Sandbox(apps=[tmp_path], keys=["one", "two=other-shop"]) as lamina:
        statuses = [
            httpx.get(f"{lamina.url}/v1/apps/a1", headers={"x-api-key": key}).status_code for key in ("one", "two")
        ]
    assert statuses == [404, 200]


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"appId": ""}, "'appId' must be a text that is not empty"),
        ({"parameters": None}, "'parameters' must be a list"),
        ({"parameters": [{"type": "text"}]}, "parameters[0] has neither 'key' nor 'name' nor 'id'"),
        ({"parameters": [{"name": "a"}]}, "parameters[0] has no 'type'"),
        ({"parameters": [{"name": "a", "type": "options"}]}, "parameters[0] is of type 'options' and has none"),
        ({"outputs": ["image"]}, "'outputs' must be a list of objects with a 'type'"),
        ({"x-sandbox": {"speed": 2}}, "'x-sandbox' has an unknown member 'speed'"),
        ({"x-sandbox": {"seconds": "6"}}, "'x-sandbox': 'seconds' cannot be '6'"),
    ],
)
def test_broken_file_gives_one_line_with_its_name(tmp_path: Path, members: dict[str, object], complaint: str) -> None:
    path = write_app(tmp_path, **members)
    with pytest.raises(catalogue.AppFileError) as caught:
        catalogue.read(path, base_url="")
    assert str(caught.value).startswith(f"{path}: {complaint}")
    assert "\n" not in str(caught.value)


def test_file_that_is_no_json_says_where_it_breaks(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"data": {\n  "appId": }}')
    with pytest.raises(catalogue.AppFileError, match=r"mine.json: not JSON: line 2, column 12"):
        catalogue.read(path, base_url="")
