"""Files on their way to Lamina: put into its storage once, when a run needs them."""

from lamina_integration import LaminaClient, UploadFile
from portal.media.models import Media
from portal.media.names import wire_name


def lamina_url(media: Media, *, client: LaminaClient) -> str:
    """Return where Lamina finds the file, uploading it if it is not there yet. Raises LaminaError.

    Two workers at once may both upload; the first to say so wins and both go on with its address.
    Talks to the network: not to be called inside a transaction.
    """
    if media.lamina_url:
        return media.lamina_url
    asked = UploadFile(filename=wire_name(media.name, extension=media.extension), media_type=media.kind)
    (target,) = client.assets.upload_urls([asked])
    with media.file.open("rb") as stream:
        client.assets.put(target, stream, size=media.size, content_type=target.content_type_hint or media.content_type)
    Media.objects.filter(pk=media.pk, lamina_url="").update(lamina_url=target.asset_url)
    media.refresh_from_db(fields=["lamina_url"])
    return media.lamina_url
