"""`screener export`: files, manifests and refusals."""

import hashlib
import json
import stat

import pytest
from command_process import refused, screener, value

from screener import EdgeFilter


@pytest.mark.parametrize("form", ["csv", "tx", "ncmec", "vics", "hma", "bloom"])
def test_each_format_is_exported_with_a_manifest_and_private(made, tmp_path, form):
    """The source whose terms forbid it is counted as withheld."""
    out = tmp_path / "out.file"
    table = tmp_path / "table.toml"
    table.write_text('["uk-sentencing-council"]\nA = 1\n')
    more = ("--categories", table) if form == "vics" else ()

    done = screener("export", made, "--format", form, "-o", out, *more)

    facts = json.loads((tmp_path / "out.file.manifest.json").read_text())
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "withheld: 1 record of b: not for redistribution" in done.stderr
    assert "generation 2; not signed" in done.stderr
    assert (facts["format"], facts["generation"]) == (form, 2)
    assert "b" not in {*facts["terms"], *facts.get("withheld", ())}
    assert facts["parts"][0]["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert facts["records"]["confirmed"] >= 1
    for path in (out, tmp_path / "out.file.manifest.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "out.file", "out.file.manifest.json", "table.toml"
    ]  # fmt: skip


def test_a_wrong_export_is_refused_and_writes_nothing(made, tmp_path):
    """The message names the option, source, audience or file."""
    broken, odd = tmp_path / "broken.toml", tmp_path / "odd.toml"
    broken.write_text("= 1\n")
    odd.write_text('[x]\nA = "one"\n')
    out = tmp_path / "out.file"
    for arguments, said in (
        (("--format", "xlsx"), "unknown format 'xlsx'; one of: csv"),
        (("--format", "csv", "--audience", "public"), "audience 'public' (a: TLP:GREEN"),
        (("--format", "csv", "--source", "zz"), "no source 'zz'"),
        (("--format", "csv", "--audience", "all"), "--audience"),
        (("--format", "vics"), "categor"),
        (("--format", "vics", "--categories", broken), "broken.toml"),
        (("--format", "vics", "--categories", odd), "odd.toml"),
        (("--format", "bloom", "--kind", "pdq"), "not compared by equality"),
        (("--format", "bloom", "--kind", "sha3"), "sha3"),
        (("--format", "bloom", "--kind", ""), "kind"),
        (("--format", "bloom", "--error-rate", "2"), "error rate"),
        (("--format", "csv", "--sign", broken), "broken.toml"),
    ):
        assert said in refused("export", made, "-o", out, *arguments)
    assert "--format" in refused("export", made, "-o", out)
    assert "--output" in refused("export", made, "--format", "csv")
    missing = refused("export", made, "--format", "csv", "-o", tmp_path / "no" / "out")
    assert "No such file" in missing
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.toml", "odd.toml"]


def test_the_edge_filter_has_the_requested_kind_and_error_rate(made, tmp_path):
    """It answers without the list."""
    out = tmp_path / "edge.bloom"
    call = ("export", made, "--format", "bloom", "--kind", "md5", "--error-rate", "0.000001")

    assert screener(*call, "-o", out).returncode == 0

    held = EdgeFilter.open(out)
    assert (held.kind.name, held.error_rate) == ("md5", 0.000001)
    assert [held.may_contain(value(n)) for n in (1, 2, 3, 4, 9)] == [True, True, True, False, False]
