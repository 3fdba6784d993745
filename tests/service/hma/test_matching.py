"""Look-ups: the coin, errors that nobody takes for an answer, and files."""

import io
import random
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from hma_service import hma_client, upload
from picture_bytes import png, saved
from PIL import Image
from pool_accidents import until
from service_lists import make

from screener.hashing import digest, pdq


@pytest.fixture
def client(known, state):
    """A client of one list."""
    with hma_client(state, known) as client:
        yield client


def look_up(client, text, **query):
    """Look a PDQ up."""
    return client.get("/m/lookup", params={"signal": text, "signal_type": "pdq", **query})


def test_the_coin_is_that_of_python(client, pictures, pdqs):
    """A bank takes part if its ratio is at least the number that its seed gives."""
    client.put("/c/bank/KNOWN", json={"enabled_ratio": "0.4"})
    seeds = ["", "1", "2", "3", "upload-17", "é", *map(str, range(20))]
    expected = [random.Random(seed).random() <= 0.4 for seed in seeds]
    assert 3 < sum(expected) < len(seeds) - 3

    found = [bool(look_up(client, pdqs[0], seed=seed).json()) for seed in seeds]
    files = [
        bool(client.post("/m/lookup", params={"seed": seed}, **upload(pictures[0])).json()["pdq"])
        for seed in seeds[:8]
    ]
    assert found == expected
    assert files == expected[:8]


def test_a_hash_alone_finds_turned_contents(client, scene, pdqs):
    """Also by the raw look-up; the distance is that of the derived code."""
    mirrored = derive(pdqs[0], "flip_horizontal")

    (content,) = look_up(client, mirrored).json()["KNOWN"]
    assert content["distance"] == "0"
    raw = client.get("/m/raw_lookup", params={"signal": mirrored, "signal_type": "pdq"}).json()
    assert raw == {"matches": [content["bank_content_id"]]}


def derive(text, orientation):
    """Return the text of the code derived for an orientation."""
    code = np.frombuffer(bytes.fromhex(text), np.uint8).reshape(1, -1)
    turned = pdq.derive_orientations(code)[0, pdq.ORIENTATIONS.index(orientation)]
    return turned.tobytes().hex()


def test_the_coin_is_left_out_by_file_look_ups_only(client, pictures, pdqs):
    """As in HMA: a ratio above 0 takes part then, and `GET` ignores the field."""
    client.put("/c/bank/KNOWN", json={"enabled_ratio": 1e-9})
    query = {"seed": "1", "bypass_coinflip": "true"}
    by_file = client.post("/m/lookup", params=query, **upload(pictures[0])).json()

    assert by_file["pdq"].keys() == {"KNOWN"}
    assert look_up(client, pdqs[0], **query).json() == {}
    client.put("/c/bank/KNOWN", json={"enabled": False})
    assert look_up(client, pdqs[0], seed="1").json() == {}


def test_without_keys_pages_of_other_sites_are_refused(client, pictures, pdqs):
    """Uploads, and look-ups by a name that was given this machine's address."""
    foreign = {"Origin": "http://elsewhere.example"}
    rebound = {"Host": "elsewhere.example", "Origin": "http://elsewhere.example"}
    query = {"signal": pdqs[0], "signal_type": "pdq"}
    for headers in (foreign, rebound):
        answers = [
            client.post("/m/lookup", headers=headers, **upload(pictures[0])),
            client.post("/h/hash", headers=headers, **upload(pictures[0])),
            client.get("/m/lookup", headers=headers, params=query),
            client.post("/c/banks", headers=headers, json={"name": "OURS"}),
        ]
        assert [one.status_code for one in answers] == [403] * 4


def test_banks_that_are_not_there_are_an_error(client, pictures, pdqs):
    """Unless another one of them is: an empty answer would read as clear."""

    def call(banks, text=pdqs[0], path="/m/lookup"):
        query = {"signal": text, "signal_type": "pdq", "banks": banks}
        return client.get(path, params=query)

    for banks in ("NOPE", "known", "NOPE,ALSO", ","):
        for answer in (
            call(banks),
            call(banks, pdqs[1]),
            call(banks, path="/m/raw_lookup"),
            client.post("/m/lookup", params={"banks": banks}, **upload(pictures[0])),
            client.post("/m/lookup", params={"banks": banks}, **upload(pictures[1])),
        ):
            assert answer.status_code == 400
            assert answer.headers["content-type"].startswith("text/plain")
            assert "no bank of these names" in answer.text
    for banks in ("KNOWN", "NOPE,KNOWN", " KNOWN ,NOPE", ""):
        assert set(call(banks).json()) == {"KNOWN"}
    assert call("KNOWN", pdqs[1]).json() == {}


def test_a_bank_that_the_policy_does_not_enforce_is_not_looked_up_alone(
    tmp_path, known, state, pdqs
):
    """Its hits make no match, so nothing could be found."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[lists.tried]\nmode = "shadow"\n')
    tried = make(tmp_path, "tried", [{"id": "one", "pdq": pdqs[1]}])
    with hma_client(state, known, tried, policy=policy) as client:
        assert look_up(client, pdqs[1], banks="TRIED").status_code == 400
        assert look_up(client, pdqs[1], banks="TRIED,KNOWN").json() == {}


def test_parts_of_a_form_without_names_are_not_ignored(client, pictures):
    """One without a file name, beside a file, is a field; without any name it is an error."""

    def post(*parts):
        body = b"".join(b"--x\r\n" + head + b"\r\n\r\n" + one + b"\r\n" for head, one in parts)
        content_type = {"Content-Type": "multipart/form-data; boundary=x"}
        return client.post("/m/lookup", content=body + b"--x--\r\n", headers=content_type)

    head = b"Content-Disposition: form-data"
    other = (head + b'; name="photo"; filename="x"', pictures[1])
    empty_name = (head + b'; name="photo"; filename=""', pictures[0])

    assert post(other, (head + b'; name="threshold"', b"31")).json() == {"pdq": {}}
    assert set(post(empty_name).json()["pdq"]) == {"KNOWN"}
    for nameless in (empty_name, (head, pictures[0]), (b"A: b", pictures[0])):
        answer = post(other, nameless)
        assert (answer.status_code, answer.headers["content-type"][:10]) == (400, "text/plain")


def test_no_error_of_a_look_up_is_json(client, monkeypatch, pdqs, caplog):
    """Clients that ignore the status would take each name in it for a bank, also of a bug."""
    answers = [
        client.get("/m/lookup"),
        look_up(client, "f" * 64),
        look_up(client, pdqs[0].upper()),
        look_up(client, pdqs[0] + "00"),
        look_up(client, pdqs[0], bypass_coinflip="maybe"),
        client.get("/m/lookup", params={"url": "http://example.org/a.jpg"}),
        client.get("/m/raw_lookup"),
        client.post("/m/lookup"),
        client.post("/m/lookup", **upload(b"no picture")),
        client.post("/m/lookup", **upload(png(Image.new("RGB", (64, 64))))),
        client.put("/m/lookup"),
        client.get("/m/lookups"),
    ]
    monkeypatch.setattr("screener.service.hma.matching.parse_signal", lambda *_: 1 / 0)
    answers.append(look_up(client, pdqs[0]))

    assert [one.status_code for one in answers] == [
        400, 400, 400, 400, 422, 403, 422, 400, 400, 400, 405, 404, 500
    ]  # fmt: skip
    for one in answers:
        assert one.headers["content-type"].startswith(("text/plain", "text/html"))
        with pytest.raises(ValueError, match=r".*"):
            one.json()
    until(lambda: "ZeroDivisionError" in caplog.text)  # written after the answer
    assert pdqs[0] not in caplog.text


def test_nothing_to_compare_with_is_no_answer(tmp_path, state, pictures, pdqs):
    """503 as from an HMA without an index, and not an empty object."""
    digests = make(tmp_path, "digests", [{"id": "one", "md5": 32 * "a"}])
    with hma_client(state, digests) as client:
        assert look_up(client, pdqs[0]).status_code == 503
        assert client.post("/m/lookup", **upload(pictures[0])).status_code == 503
        query = {"signal": 32 * "b", "signal_type": "video_md5"}
        assert client.get("/m/lookup", params=query).json() == {}
        answer = client.post("/m/lookup", **upload(b"some bytes", "video"))
        assert answer.json() == {"video_md5": {}}
        assert client.post("/h/hash", **upload(pictures[0])).json() == {"pdq": pdqs[0]}


def test_a_bank_of_digests_keeps_no_other_from_clearing(tmp_path, known, state, pictures, pdqs):
    """It has nothing to compare a picture with, and is not asked."""
    digests = make(tmp_path, "digests", [{"id": "one", "md5": 32 * "a"}])
    with hma_client(state, digests, known) as client:
        assert look_up(client, pdqs[2]).json() == {}
        assert client.post("/m/lookup", **upload(pictures[2])).json() == {"pdq": {}}
        blank = client.post("/m/lookup", **upload(png(Image.new("RGB", (64, 64)))))
        assert (blank.status_code, blank.text.partition(":")[0]) == (400, "too_little_detail")


def test_turned_pictures_and_listed_bytes_match(tmp_path, known, state, pictures):
    """All that the lists hold is compared; the distance of a digest is 0, which clients read."""
    with Image.open(io.BytesIO(pictures[0])) as picture:
        turned = png(picture.transpose(Image.Transpose.ROTATE_90))
    md5, *_ = digest.compute(b"bytes of a video")
    videos = make(tmp_path, "videos", [{"id": "one", "md5": md5.text}])
    with hma_client(state, known, videos) as client:
        found = client.post("/m/lookup", **upload(turned)).json()
        assert found["pdq"].keys() == {"KNOWN"}
        found = client.post("/m/lookup", **upload(b"bytes of a video", "video")).json()
        (content,) = found["video_md5"]["VIDEOS"]
        assert content["distance"] == "0"
        query = {"signal": md5.text.upper(), "signal_type": "video_md5"}
        assert client.get("/m/lookup", params=query).json()["VIDEOS"][0]["distance"] == "0"


def test_evidence_is_off_unless_allowed(tmp_path, known, state, pictures):
    """Whatever the policy, which `/v1` follows."""
    policy = tmp_path / "policy.toml"
    policy.write_text('effort = "views"\n')
    with Image.open(io.BytesIO(pictures[0])) as picture:
        cropped = saved(picture.crop((16, 12, 304, 228)), "PNG")
    with hma_client(state, known, policy=policy) as client:
        (match,) = client.post("/v1/screen", content=cropped).json()["matches"]
        assert match["by"] == "evidence"
        assert client.post("/m/lookup", **upload(cropped)).json() == {"pdq": {}}
    with hma_client(state, known, policy=policy, hma_evidence=True) as client:
        found = client.post("/m/lookup", **upload(cropped)).json()
        assert found["pdq"]["KNOWN"][0]["distance"] == "31"  # the radius: a number, but not 0


EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def test_the_digest_of_an_empty_file_is_the_fault_of_the_client(client):
    """It is refused as a content and in a look-up, not "at present"."""
    client.post("/c/banks", json={"name": "OURS"})
    added = client.post("/c/bank/OURS/signal", json={"video_md5": EMPTY_MD5})
    asked = client.get("/m/lookup", params={"signal": EMPTY_MD5, "signal_type": "video_md5"})
    assert [(one.status_code, "empty" in one.text) for one in (added, asked)] == [(400, True)] * 2


def test_a_hit_does_not_wait_for_the_disk(client, state, pdqs):
    """An entry without a number gets one while another process holds the lock to write."""
    with closing(sqlite3.connect(state / "hma.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        found = look_up(client, pdqs[0]).json()
        assert look_up(client, pdqs[0]).json() == found
        (content,) = found["KNOWN"]
        shown = client.get(f"/c/bank/KNOWN/content/{content['bank_content_id']}").json()
        other.execute("ROLLBACK")
    assert shown["id"] == content["bank_content_id"]


def test_a_service_without_a_list_serves_the_banks_of_its_clients(state, pictures, pdqs):
    """From the first one on; until then nothing is clear."""
    with hma_client(state) as client:
        assert client.get("/c/banks").json() == []
        assert client.get("/status").text == "I-AM-ALIVE"
        assert client.get("/m/index/status").json()["pdq"]["size"] == 0
        assert look_up(client, pdqs[0]).status_code == 503
        assert client.post("/m/lookup", **upload(pictures[0])).status_code == 503
        assert client.post("/h/hash", **upload(pictures[0])).json() == {"pdq": pdqs[0]}
        screened = client.post("/v1/screen", content=pictures[0]).json()
        assert (screened["verdict"], screened["reason"]) == ("unscreened", "not_comparable")
        client.post("/c/banks", json={"name": "OURS"})
        client.post("/c/bank/OURS/signal", json={"pdq": pdqs[0]})
        assert look_up(client, pdqs[0]).json().keys() == {"OURS"}
        assert client.delete("/c/bank/OURS").status_code == 200
        assert client.get("/c/banks").json() == []


def test_errors_of_v1_have_their_form_beside_hma(client, pictures):
    """Unlike those of look-ups, which are text."""
    answers = [
        client.get("/v1/nothing"),
        client.put("/v1/screen"),
        client.post("/v1/match", content=b"no JSON"),
        client.post("/v1/screen", params={"list": "nope"}, content=pictures[0]),
        client.post("/v1/hook", content=pictures[0]),
        client.get("/v1/lists", headers={"Host": "elsewhere.example"}),
    ]
    assert [one.status_code for one in answers] == [404, 405, 415, 404, 451, 403]
    assert all(one.json()["error"].keys() == {"code", "message"} for one in answers)
