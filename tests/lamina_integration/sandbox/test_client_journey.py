"""The project's own client against the stand-in: one whole journey."""

from io import BytesIO

from lamina_integration.client import LaminaClient
from lamina_integration.sandbox import Sandbox
from lamina_integration.webhooks import verify
from lamina_integration.wire import UploadFile
from tests.lamina_integration.sandbox.conftest import KEYS, MOOD_BOARD, Callback, photo


def test_client_uploads_runs_and_believes_the_delivery(lamina: Sandbox, callback: Callback) -> None:
    content = photo()
    with LaminaClient(base_url=lamina.url, api_key=KEYS[0]) as client:
        assert MOOD_BOARD in [app.app_id for app in client.apps.list(search="mood")]
        app = client.apps.get(MOOD_BOARD)
        assert [parameter.name for parameter in app.parameters if not parameter.has_default] == ["Your product"]
        (target,) = client.assets.upload_urls([UploadFile("mug.jpg", "image")])
        client.assets.put(target, BytesIO(content), size=len(content))
        inputs = {"your_product_image_url": target.asset_url}
        run = client.runs.start(MOOD_BOARD, inputs, outputs=["Hero Shot"], webhook=callback.url)
        assert client.runs.get(run.run_id).status == "queued"
        lamina.finish()
        finished = client.runs.get(run.run_id)
        assert [output.is_usable for output in finished.outputs] == [True]
        assert [item.run_id for item in client.runs.list(app_id=MOOD_BOARD).items] == [run.run_id]
        (delivery,) = callback.received
        told = verify(headers=delivery[0], body=delivery[1], keys=client.webhooks.signing_keys())
        assert told.run == finished
        assert client.account.usage().balance == 4993
