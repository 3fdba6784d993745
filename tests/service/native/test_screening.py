"""`/v1/screen` and `/v1/hook`: files in, Results or statuses out."""

import json
from concurrent.futures import ThreadPoolExecutor

import jsonschema
import pytest
from paths import REPOSITORY
from served import error_of, serving

from screener import HashList, Screener

VERDICTS = {"listed": "match", "second": "match", "other": "no_match", "broken": "unscreened"}
STATUSES = {"match": 451, "no_match": 204, "unscreened": 422}


@pytest.fixture(scope="module")
def check_line():
    """Checks a result line against its schema."""
    schema = json.loads((REPOSITORY / "docs/result.schema.json").read_text())
    return jsonschema.Draft202012Validator(schema).validate


def screen_here(paths, data):
    """Return the Result of this process, without what depends on time and place."""
    line = Screener([HashList.open(path) for path in paths]).screen(data).to_dict()
    return without_times(line)


def without_times(line):
    """Return a result line without its seconds and the ages of lists."""
    lists = [one | {"age_s": 0} for one in line["lists"]]
    return {name: value for name, value in line.items() if name != "seconds"} | {"lists": lists}


@pytest.mark.parametrize("name", VERDICTS)
def test_a_file_has_the_result_of_a_screener(server, shared_lists, files, check_line, name):
    """As a result line of the schema."""
    status, line = server.post("/v1/screen", files[name])

    assert (status, line["verdict"]) == (200, VERDICTS[name])
    check_line(line)
    assert without_times(line) == screen_here(shared_lists, files[name])


def test_files_of_a_form_have_results_in_their_order(server, files, check_line):
    """With their names."""
    names = [*VERDICTS, "listed"]
    form = [("file", (name, files[name], "image/png")) for name in names]

    status, body = server.post("/v1/screen", None, files=form)

    assert status == 200
    assert [line["input"] for line in body["results"]] == names
    assert [line["verdict"] for line in body["results"]] == [VERDICTS[name] for name in names]
    for line in body["results"]:
        check_line(line)


@pytest.mark.parametrize(("chosen", "expected"), [((0,), "match"), ((1,), "no_match"),
                                                  ((0, 1), "match")])  # fmt: skip
def test_named_lists_decide_alone(server, shared_lists, files, chosen, expected):
    """As a Screener of these lists does, whatever kinds the others have."""
    names = [("known", "more")[n] for n in chosen]
    paths = [shared_lists[n] for n in chosen]

    status, line = server.post("/v1/screen", files["listed"], params={"list": names})

    assert (status, line["verdict"]) == (200, expected)
    assert without_times(line) == screen_here(paths, files["listed"])


@pytest.mark.parametrize("name", VERDICTS)
def test_the_hook_answers_by_its_status(server, files, name):
    """204 for no match alone; the reason of an unscreened file is in the body."""
    status, body = server.post("/v1/hook", files[name])

    assert status == STATUSES[VERDICTS[name]]
    if status == 204:
        assert body == b""
    else:
        code = {"match": "match", "unscreened": "unsupported"}[VERDICTS[name]]
        assert error_of((status, body)) == (status, code)


@pytest.mark.parametrize(
    ("names", "status"),
    [(["other", "listed", "broken"], 451), (["other", "broken"], 422), (["other"] * 2, 204)],
)
def test_the_hook_of_a_form_answers_the_worst(server, files, names, status):
    """A match before what was not screened, and that before no match."""
    form = [("file", (name, files[name])) for name in names]

    assert server.post("/v1/hook", None, files=form)[0] == status


@pytest.mark.parametrize("path", ["/v1/screen", "/v1/hook"])
@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("multipart/form-data", b"", (400, "bad_multipart")),
        ("multipart/form-data; boundary=x", b"", (400, "bad_multipart")),
        ("multipart/form-data; boundary=x", b"--x\r\n", (400, "bad_multipart")),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nfile", (400, "bad_multipart")),
        ("multipart/form-data; boundary=x", b"words", (400, "bad_multipart")),
        ("multipart/form-data; boundary=x", b"--x--\r\n", (400, "no_file")),
        ("multipart/form-data; boundary=" + "x" * 300, b"--x", (400, "bad_multipart")),
        ("multipart/form-data; boundary=x", b"--x\r\nA: " + b"b" * 9000, (400, "bad_multipart")),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; filename="a"\r\n\r\nb\r\n--x-',
            (400, "bad_multipart"),
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; filename="a"\r\n\r\nb\r\n' * 65 + b"--x--",
            (413, "too_many_files"),
        ),
    ],
)
def test_a_malformed_form_is_refused(server, path, content_type, body, expected):
    """With 4xx, and nothing is screened."""
    answer = server.post(path, body, headers={"Content-Type": content_type})

    assert error_of(answer) == expected


FILE = b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\nb\r\n'


@pytest.mark.parametrize("disposition", [b'form-data; name="file"', b"form-data", b"", None])
@pytest.mark.parametrize("before", [b"", FILE])
@pytest.mark.parametrize(("path", "status"), [("/v1/screen", 400), ("/v1/hook", 422)])
def test_a_part_without_a_file_name_is_refused(server, files, path, status, before, disposition):
    """It may be a file, and must not be cleared by the others of the form."""
    head = b"" if disposition is None else b"Content-Disposition: " + disposition + b"\r\n"
    body = before + b"--x\r\n" + head + b"\r\n" + files["listed"] + b"\r\n--x--\r\n"

    answer = server.post(path, body, headers={"Content-Type": "multipart/form-data; boundary=x"})

    assert error_of(answer) == (status, "nameless_part")


@pytest.mark.parametrize("path", ["/v1/screen", "/v1/hook"])
def test_requests_that_cannot_be_screened(server, files, path):
    """An unknown list, a body over the limit, another method."""
    assert error_of(server.post(f"{path}?list=nope", files["other"])) == (404, "no_such_list")
    assert error_of(server.post(path, bytes((1 << 20) + 1))) == (413, "too_large")
    assert error_of(server.get(path)) == (405, "method_not_allowed")


def test_an_empty_body_is_unscreened(server):
    """It is not clear."""
    assert server.post("/v1/screen")[1]["reason"] == "empty"
    assert server.post("/v1/hook")[0] == 422


def test_many_uploads_at_once_have_their_own_results(server, files):
    """Each connection has the verdict of its file."""
    names = [*VERDICTS] * 15

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda name: server.post("/v1/screen", files[name]), names))

    assert [line["verdict"] for _, line in answers] == [VERDICTS[name] for name in names]


@pytest.fixture(scope="module")
def roomy(shared_lists):
    """A server for large uploads."""
    with serving("--list", shared_lists[0], "--max-buffered", 100 << 20) as server:
        yield server


@pytest.mark.parametrize("name", ["listed", "other"])
def test_large_uploads_are_screened_whole(roomy, files, name, check_line):
    """Alone, in chunks and in a form, from below a megabyte to above it."""
    for size in ((1 << 20) - 1, (1 << 20) + 1, (3 << 20) + 17):
        data = files[name] + bytes(size - len(files[name]))
        expected = {"bytes": size, "verdict": VERDICTS[name]}
        chunks = [data[start : start + 70_001] for start in range(0, size, 70_001)]
        form = [("file", (str(number), data)) for number in range(3)]

        _, alone = roomy.post("/v1/screen", data)
        _, chunked = roomy.post("/v1/screen", iter(chunks))
        _, several = roomy.post("/v1/screen", None, files=form)

        for line in (alone, chunked, *several["results"]):
            check_line(line)
            assert {name: line[name] for name in expected} == expected
        assert [line["input"] for line in several["results"]] == ["0", "1", "2"]
    text = roomy.client.get("/metrics").text
    assert "\nscreener_buffered_bytes 0.0\n" in text
