"""A photo is made smaller on the phone, loses its place there, and waits like any other words."""

import io
import sqlite3
from pathlib import Path

from PIL import ExifTags, Image
from playwright.sync_api import expect

from tests.peers.mail import until
from tests.support.browser import Office, Phone

TEXT = "Zo ziet het er nu uit."
SHOWN = "Een lantaarnpaal met een nieuwe lamp"
PLACE = "stoep-gps-proef"
SENT = """
async (person) => {
  const open = indexedDB.open(`stoep-outbox-${person}`);
  await new Promise((done, wrong) => { open.onsuccess = done; open.onerror = wrong; });
  const all = open.result.transaction('photos').objectStore('photos').getAll();
  await new Promise((done, wrong) => { all.onsuccess = done; all.onerror = wrong; });
  open.result.close();
  const bytes = async ({ blob }) => [...new Uint8Array(await blob.arrayBuffer())];
  return Promise.all(all.result.map(bytes));
}
"""


def photo_with_a_place() -> bytes:
    """Return a large photo that says where it was taken."""
    out = io.BytesIO()
    image = Image.effect_noise((3000, 2000), 40).convert("RGB")
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = PLACE
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef] = "N"
    place[ExifTags.GPS.GPSLatitude] = (53.0, 13.0, 9.0)
    image.save(out, "JPEG", exif=exif, quality=90)
    return out.getvalue()


def test_a_photo_taken_offline_is_smaller_has_no_place_and_arrives_once(
    anna: Phone, office: Office, tmp_path: Path
) -> None:
    original = photo_with_a_place()
    assert PLACE.encode() in original
    file = tmp_path / "lamp.jpg"
    file.write_bytes(original)
    question = office.question()
    page = anna.context.pages[0]
    anna.opens(page, question)
    office.line.goes_down()
    page.locator(".composer input[type=file]").first.set_input_files(file)
    expect(page.locator(".composer img").first).to_be_visible()
    page.get_by_label("Wat staat er op de foto?").fill(SHOWN)
    anna.sends(page)
    expect(page.locator(".composer")).to_contain_text("een foto alleen komt niet overal aan")
    anna.writes(page, TEXT)
    anna.sends(page)
    message = page.locator(".message.out", has_text=TEXT)
    expect(message.locator("img")).to_be_visible()
    expect(message.locator("figcaption")).to_have_text(SHOWN)
    until(lambda: office.line.did["refuse"])
    ((person,),) = office.ask("SELECT id FROM person WHERE name LIKE 'Anna%'")
    (stored,) = [bytes(one) for one in page.evaluate(SENT, person)]
    image = Image.open(io.BytesIO(stored))
    assert max(image.size) == 1600
    assert not image.getexif()
    assert PLACE.encode() not in stored
    assert len(stored) < len(original)

    office.line.comes_back()
    office.waits_for(TEXT)
    with sqlite3.connect(office.server.data_dir / "stoep.db") as database:
        ((arrived, shown),) = database.execute(
            "SELECT d.content, a.alt FROM attachment_data d"
            " JOIN attachment a ON a.id = d.attachment_id"
            " JOIN message m ON m.id = a.message_id WHERE m.text = ? AND d.part = 'full'",
            (TEXT,),
        ).fetchall()
    assert max(Image.open(io.BytesIO(arrived)).size) == 1600
    assert not Image.open(io.BytesIO(arrived)).getexif()
    assert shown == SHOWN
