"""What holds for all routes: the document, the log, the metrics."""

import os
import re
import subprocess
import sys

import pytest
from paths import REPOSITORY
from pool_accidents import until
from served import error_of, serving

from screener.service import keys
from screener.service.native.openapi import DOCUMENT

SECRETS = ("a-secret-name.jpg", "boundary-of-a-form")


def test_the_document_has_all_routes(server):
    """Each operation is there, and no other path is."""
    status, document = server.get("/v1/openapi.json")

    assert (status, document) == (200, DOCUMENT)
    for path, operations in document["paths"].items():
        url = path.replace("{name}", "known")
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            found = server.client.request(method, url).status_code
            assert (found == 405) == (method.lower() not in operations), (method, path)
    assert error_of(server.get("/v1")) == (404, "not_found")
    assert error_of(server.get("/")) == (404, "not_found")


def test_the_document_has_the_reasons_of_the_schema_of_results(server):
    """Its short form of a Result agrees with docs/result.schema.json."""
    import json

    schema = json.loads((REPOSITORY / "docs/result.schema.json").read_text())
    short = DOCUMENT["components"]["schemas"]["Result"]
    assert set(short["required"]) <= set(schema["required"])
    for name in ("verdict", "reason"):
        assert sorted(map(str, short["properties"][name]["enum"])) == sorted(
            map(str, schema["properties"][name]["enum"])
        )
    match = DOCUMENT["components"]["schemas"]["Match"]
    assert set(match["required"]) <= set(schema["$defs"]["match"]["required"])


def test_generated_requests_find_no_fault(shared_lists, tmp_path):
    """Answers have the statuses and forms of the document, whatever schemathesis sends, with or
    without a key. SCREENER_SCHEMATHESIS=600 and --timeout 0 let it send for ten minutes.

    Left out is the check that each request of the right form succeeds: the hook answers 422 of a
    file, and the number of ids is that of the files.
    """
    pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    seconds = os.environ.get("SCREENER_SCHEMATHESIS")
    extent = ["--max-examples", "20", "--seed", "1", "--phases", "examples,coverage,fuzzing"]
    key = keys.add_key(tmp_path / "keys.json", "tests", keys.Role)
    names = tmp_path / "schemathesis.toml"
    names.write_text('[parameters]\n"query.list" = "known"\n')  # others are 404
    with serving("--list", shared_lists[0], "--keys", tmp_path / "keys.json") as server:
        call = [
            sys.executable, "-m", "schemathesis.cli", "--config-file", names, "run",
            f"{server.url}/v1/openapi.json", "--exclude-checks", "positive_data_acceptance",
            "--header", f"Authorization: Bearer {key}", "--no-color",
            *(["--max-time", seconds] if seconds else extent),
        ]  # fmt: skip
        done = subprocess.run(
            call, capture_output=True, text=True, timeout=500 + float(seconds or 0), cwd=tmp_path
        )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_access_log_has_no_name_hash_or_body(server, files, values):
    """A line of each request: its time, route, status, duration and verdict."""
    server.get("/v1/health/live")
    until(lambda: server.log[-1]["route"] == "/v1/health/live")  # a line comes after its answer
    before = len(server.log)
    server.post("/v1/screen", None, files=[("file", (SECRETS[0], files["listed"]))])
    item = {"hashes": [{"kind": "pdq", "value": values["listed"]}], "input": SECRETS[0]}
    server.send("/v1/match", item)
    server.get(f"/v1/{values['listed']}/{SECRETS[0]}")
    server.send(f"/v1/lists/{SECRETS[0]}/opinions", {})
    server.client.get("/v1/lists", headers={"User-Agent": SECRETS[0]}, params={"a": SECRETS[0]})

    until(lambda: len(server.log) >= before + 5)
    lines = server.log[before:]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/v1/screen", 200),
        ("POST", "/v1/match", 200),
        ("other", "other", 404),
        ("POST", "/v1/lists/{name}/opinions", 404),
        ("GET", "/v1/lists", 200),
    ]
    assert lines[0]["verdict"] == "match"
    assert all(line["ms"] >= 0 and line["time"] > 1e9 for line in lines)
    for text in (*SECRETS, values["listed"], "one"):
        assert text not in str(lines)
        assert text not in server.messages


def test_metrics_count_requests_and_verdicts(server, files, values):
    """By route and status; unknown paths are one route, so that nobody can add others."""

    def read():
        text = server.client.get("/metrics").text
        rows = re.findall(r"^(screener_(?:requests|verdicts)_total\{.*\}) (\S+)$", text, re.M)
        return {name: float(count) for name, count in rows}, text

    before, _ = read()
    server.post("/v1/screen", files["listed"])
    server.send("/v1/match", {"hashes": [{"kind": "pdq", "value": values["other"]}]})
    for number in range(3):
        server.get(f"/{number}")
        server.client.request(f"X{number}", "/v1/screen")
    after, text = read()

    changed = {name: after[name] - before.get(name, 0) for name in after}
    changed = {name: count for name, count in changed.items() if count}
    assert changed == {
        'screener_requests_total{method="POST",route="/v1/screen",status="200"}': 1,
        'screener_requests_total{method="POST",route="/v1/match",status="200"}': 1,
        'screener_requests_total{method="other",route="other",status="404"}': 3,
        'screener_requests_total{method="GET",route="/metrics",status="200"}': 1,
        'screener_verdicts_total{reason="",verdict="match"}': 1,
        'screener_verdicts_total{reason="",verdict="no_match"}': 1,
    }
    assert 'screener_list_generation{list="known"} 1.0' in text
    assert values["listed"] not in text
