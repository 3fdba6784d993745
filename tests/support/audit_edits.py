"""Audit logs with edits that must be found."""

import hashlib
import json

from hypothesis import strategies as st

from screener import audit


def write(path, engine, decisions, key=None):
    """A run of so many decisions; the head that it ended with."""
    with audit.open_log(path, engine, key=key) as log:
        for number in range(decisions):
            log.write(engine.match([], input=f"é {number}"))
    return log.head


def recomputed(path):
    """What a forger does who knows the format: every `prev`, number and head anew; no signature."""
    prev, out, start = "0" * 64, b"", 0
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        facts = json.loads(line) | {"line": number, "prev": prev}
        text = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        prev, start = hashlib.sha256(text).hexdigest(), len(out)
        out += text
    path.write_bytes(out)
    head = path.with_name(f"{path.name}.head")
    first, *rest = head.read_bytes().splitlines(keepends=True)
    facts = json.loads(first) | {
        "lines": number, "bytes": len(out), "start": start, "sha256": prev,
    }  # fmt: skip
    head.write_bytes(json.dumps(facts, separators=(",", ":")).encode() + b"\n" + b"".join(rest))


EDITS = st.one_of(
    st.tuples(st.just("flip"), st.integers(0), st.integers(1, 255)),
    st.tuples(st.just("drop"), st.integers(0), st.just(0)),
    st.tuples(st.just("cut"), st.integers(0), st.just(0)),
    st.tuples(st.just("double"), st.integers(0), st.integers(0)),
    st.tuples(st.just("swap"), st.integers(0), st.integers(0)),
    st.tuples(st.just("insert"), st.integers(0), st.binary(min_size=1, max_size=40)),
    st.tuples(st.just("word"), st.integers(0), st.sampled_from(["no_match", "match"])),
)


def edited(data, edit):
    """A log with one edit."""
    what, where, more = edit
    lines = data.splitlines(keepends=True)
    spot, row = where % len(data), where % len(lines)
    if what == "flip":
        return data[:spot] + bytes([data[spot] ^ more]) + data[spot + 1 :]
    if what == "cut":
        return data[:spot]
    if what == "insert":
        return data[:spot] + more + data[spot:]
    if what == "word":
        lines[row] = lines[row].replace(b'"unscreened"', f'"{more}"'.encode())
    elif what == "drop":
        del lines[row]
    elif what == "double":
        lines.insert(more % (len(lines) + 1), lines[row])
    else:
        other = more % len(lines)
        lines[row], lines[other] = lines[other], lines[row]
    return b"".join(lines)
