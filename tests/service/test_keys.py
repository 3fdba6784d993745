"""Keys: what each allows, and that no secret is stored."""

import base64
import json

import pytest
from command_process import refused, screener
from pool_accidents import until
from served import error_of, serving

from screener.errors import ServiceError
from screener.service.keys import Keys, Role, add_key, remove_key

ALLOWED = {
    "screen": {"/v1/screen", "/v1/hook"},
    "match": {"/v1/match"},
    "curate": {"/v1/lists/known/opinions"},
    "metrics": {"/metrics"},
}
FREE = {"/v1/health/live", "/v1/health/ready", "/v1/openapi.json"}


def test_a_key_is_found_by_its_secret_alone(tmp_path):
    """Its file has the name, the roles and a digest, and only its owner may read it."""
    path = tmp_path / "keys.json"
    secrets = {name: add_key(path, name, [Role(name)]) for name in ALLOWED}

    keys = Keys.load(path)

    assert {secret: keys.find(secret).name for secret in secrets.values()} == {
        secret: name for name, secret in secrets.items()
    }
    assert all(keys.find(secret).roles == {Role(name)} for name, secret in secrets.items())
    assert keys.find("") is None
    assert keys.find(secrets["screen"][:-1]) is None
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert not any(secret[10:30] in text for secret in secrets.values())
    assert len(set(secrets.values())) == len(secrets)


def test_a_removed_key_is_unknown(tmp_path):
    """The others stay; a start with a file without any is refused, as it would let nobody in."""
    path = tmp_path / "keys.json"
    first, second = (add_key(path, name, [Role.MATCH]) for name in ("first", "second"))

    remove_key(path, "first")

    keys = Keys.load(path)
    assert (keys.find(first), keys.find(second).name) == (None, "second")
    remove_key(path, "second")
    with pytest.raises(ServiceError, match="has no key"):
        Keys.load(path)
    assert Keys.load(path, allow_none=True).find(second) is None
    with pytest.raises(ServiceError, match="no key second"):
        remove_key(path, "second")


def test_an_emptied_file_has_no_key(tmp_path):
    """One that was emptied by hand too; a key can be added."""
    path = tmp_path / "keys.json"
    path.write_text("\n")

    assert len(Keys.load(path, allow_none=True)) == 0
    with pytest.raises(ServiceError, match="has no key"):
        Keys.load(path)
    secret = add_key(path, "first", [Role.MATCH])
    assert Keys.load(path).find(secret).name == "first"


@pytest.mark.parametrize(
    "content",
    ["[]", "{}", '{"keys": [1]}', '{"keys": [{"name": "a", "roles": ["no"], "sha256": "00"}]}',
     '{"keys":[{"name":"a","roles":["root"],"sha256":"' + "0" * 64 + '"}]}', "[" * 100_000],
)  # fmt: skip
def test_another_file_is_no_file_of_keys(tmp_path, content):
    """It is refused, and nothing is added to it."""
    path = tmp_path / "keys.json"
    path.write_text(content)

    with pytest.raises(ServiceError):
        Keys.load(path)
    with pytest.raises(ServiceError):
        add_key(path, "name", [Role.SCREEN])
    assert path.read_text() == content


def test_the_command_prints_a_key_once(tmp_path):
    """Names are unique, and a key has a role."""
    path = tmp_path / "keys.json"

    done = screener("serve-key", path, "--name", "ann", "--role", "screen", "--role", "match")

    assert Keys.load(path).find(done.stdout.strip()).roles == {Role.SCREEN, Role.MATCH}
    assert "has a key ann" in refused("serve-key", path, "--name", "ann", "--role", "match")
    assert "--role is missing" in refused("serve-key", path, "--name", "bob")
    assert screener("serve-key", path, "--name", "ann", "--remove").returncode == 0
    assert json.loads(path.read_text()) == {"keys": []}


def call(server, path, secret):
    """Return the answer to a request of a path with a key."""
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}".strip()}
    method = "GET" if path in FREE | {"/metrics", "/v1/lists"} else "POST"
    answer = server.client.request(
        method, path, headers=headers | {"Content-Type": "application/json"}, content=b"{"
    )
    return answer.status_code, answer.headers.get("www-authenticate"), answer.content


def test_routes_ask_for_keys_with_their_roles(lists, tmp_path):
    """401 without a known key, 403 for another role; health is free. A key that is removed while
    the server runs is unknown soon.
    """
    path = tmp_path / "keys.json"
    secrets = {name: add_key(path, name, [Role(name)]) for name in ALLOWED}
    everything = FREE | {"/v1/lists"} | set.union(*ALLOWED.values())
    with serving("--list", lists[0], "--keys", path, "--poll-seconds", 0.5) as server:
        for route in everything:
            for secret in (None, "", "screener_guess", secrets["screen"][:-1]):
                status, scheme, _ = call(server, route, secret)
                assert (status == 401 and scheme == "Bearer") == (route not in FREE), route
            for name, secret in secrets.items():
                status, _, body = call(server, route, secret)
                allowed = route in ALLOWED[name] | FREE | {"/v1/lists"}
                assert (status not in (401, 403)) == allowed, (route, name, body)
                assert secret.encode() not in body
        basic = server.client.post("/v1/screen", headers={"Authorization": "Basic YTpi"})
        assert basic.status_code == 401

        remove_key(path, "metrics")
        until(lambda: call(server, "/metrics", secrets["metrics"])[0] == 401)
        assert call(server, "/v1/lists", secrets["match"])[0] == 200
        names = {line.get("key") for line in server.log}
        assert names == {None, *ALLOWED}
        assert not any(secret in str(server.log) for secret in secrets.values())


@pytest.mark.parametrize("emptied", ["removed", ""])
def test_the_last_key_can_be_revoked(lists, tmp_path, emptied):
    """While the server runs: then nobody may do anything, until there is another key."""
    path = tmp_path / "keys.json"
    secrets = [add_key(path, "last", [Role.SCREEN, Role.MATCH])]
    with serving("--list", lists[0], "--keys", path, "--poll-seconds", 0.3) as server:
        assert call(server, "/v1/lists", secrets[0])[0] == 200
        if emptied == "removed":
            assert screener("serve-key", path, "--name", "last", "--remove").returncode == 0
        else:
            path.write_text(emptied)

        until(lambda: call(server, "/v1/lists", secrets[0])[0] == 401)

        for route in {"/v1/lists"} | set.union(*ALLOWED.values()):
            for secret in (None, "", secrets[0]):
                assert call(server, route, secret)[0] == 401, route
        assert call(server, "/v1/health/ready", None)[0] == 200
        assert server.messages.count("has no key any more") == 1
        secrets.append(add_key(path, "next", [Role.SCREEN]))
        until(lambda: call(server, "/v1/lists", secrets[1])[0] == 200)
        assert call(server, "/v1/lists", secrets[0])[0] == 401


FORM = {"files": [("photo", ("a.jpg", b"content"))]}
FOREIGN = (
    {"Origin": "http://elsewhere.example"},
    {"Origin": "null"},
    {"Origin": "http://[::1"},
    {"Origin": "http://localhost:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Host": "elsewhere.example"},
    {"Host": "127.0.0.1.elsewhere.example"},
    {"Host": "192.0.2.1:8000"},
    {"Host": "[::1"},
    {"Host": "rebound.example:8000", "Origin": "http://rebound.example:8000"},
)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_without_keys_pages_of_other_sites_are_refused(server, headers):
    """A page that a browser on this machine shows could otherwise send files and opinions, or read
    answers by a name of its own that has the address of this machine.
    """
    hashes = {"hashes": [{"kind": "pdq", "value": 64 * "0"}]}
    answers = [
        server.send("/v1/match", hashes, headers=headers),
        server.post("/v1/screen", b"content", headers=headers),
        server.post("/v1/screen", None, headers=headers, **FORM),
        server.post("/v1/hook", None, headers=headers, **FORM),
        server.send("/v1/lists/known/opinions", {}, headers=headers),
        server.get("/v1/lists", headers=headers),
        server.get("/metrics", headers=headers),
    ]
    assert {error_of(answer) for answer in answers} == {(403, "forbidden")}


def test_without_keys_this_machine_is_served_by_its_names(server):
    """By any port, and to its own pages."""
    for host in (
        "localhost",
        "LOCALHOST:80",
        f"127.0.0.1:{server.port}",
        "[::1]:8000",
        "127.0.0.2",
    ):
        own = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
        for headers in ({"Host": host}, own):
            assert server.get("/v1/lists", headers=headers)[0] == 200, headers
    assert b" 200 OK" in server.raw(b"GET /v1/lists HTTP/1.0\r\n\r\n")


def test_with_keys_any_host_is_served(lists, tmp_path):
    """A page of another site has no key."""
    path = tmp_path / "keys.json"
    secret = add_key(path, "name", [Role.MATCH])
    with serving("--list", lists[0], "--keys", path) as server:
        headers = {"Authorization": f"Bearer {secret}", "Host": "screener.example"}
        assert server.get("/v1/lists", headers=headers)[0] == 200


def test_without_keys_only_this_machine_is_served(lists):
    """Another address is refused, with what to do."""
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        message = refused("serve", "--list", lists[0], "--host", host, "--port", 0)
        assert "serve-key" in message


def test_the_missing_key_of_a_file_is_reported(tmp_path, lists):
    """An error that comes before anything is served."""
    message = refused("serve", "--list", lists[0], "--keys", tmp_path / "nope.json")
    assert "there is no" in message


def test_a_key_may_be_the_password_of_basic(shared_lists, tmp_path, files):
    """Under any user name, as of a client that only has a URL."""
    path = tmp_path / "keys.json"
    key = add_key(path, "uploads", [Role.SCREEN])
    with serving("--list", shared_lists[0], "--keys", path) as server:

        def ask(header):
            return server.post("/v1/hook", files["other"], headers={"Authorization": header})[0]

        def basic(text):
            return "Basic " + base64.b64encode(text.encode()).decode()

        assert [ask(basic(f"{user}:{key}")) for user in ("x", "")] == [204, 204]
        wrong = (
            basic(f"{key}:"),
            basic(key),
            basic(f"x:{key[:-1]}"),
            "Basic",
            "Basic é",
            "Basic a",
        )
        assert {ask(one.encode()) for one in wrong} == {401}


def test_an_allowed_host_is_answered_without_keys(shared_lists, files):
    """From any address; other names and pages of other sites are refused as before."""
    options = ("--host", "0.0.0.0", "--allowed-host", "Screener")
    assert "--allowed-host" in refused("serve", "--list", shared_lists[0], *options[:2])
    with serving("--list", shared_lists[0], *options) as server:

        def ask(host, **headers):
            return server.client.post(
                f"http://127.0.0.1:{server.port}/v1/hook", content=files["other"],
                headers={"Host": host, **headers},
            ).status_code  # fmt: skip

        assert [ask("screener:8000"), ask("SCREENER"), ask("localhost")] == [204] * 3
        assert [
            ask("other"),
            ask("screener.example"),
            ask("screener", Origin="http://a.example"),
        ] == [403] * 3
