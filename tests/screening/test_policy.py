"""Policy: defaults, validation, files and fingerprints."""

import json
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

from screener import Policy, Terms
from screener.cli import export_list
from screener.errors import PolicyError
from screener.hotline.toml_table import Table
from screener.lists.formats.mapping import ColumnMapping
from screener.media.files.limits import Limits
from screener.media.video.sampling.settings import Sampling
from screener.screening.policy import Effort


def test_defaults_are_those_of_the_authors_of_pdq():
    """Radius 31 and floor 50 for PDQ; every perceptual kind has a radius."""
    policy = Policy()

    assert (policy.radius["pdq"], policy.floor["pdq"]) == (31, 50)
    assert set(policy.radius) == set(policy.floor)
    assert policy.limits.pixels == 150_000_000
    assert (policy.seconds, policy.memory, policy.max_list_age) == (60.0, 1 << 30, None)
    assert policy.digests_only is False


def test_videos_are_sampled_once_a_second_by_default():
    """Repeats are hashed once, scenes are off, and a tenth of the samples must be usable."""
    assert Policy().sampling == Sampling(
        mode="seconds", every=1.0, videos=0.125, against_videos=False,
        scenes=False, distinct=True, usable=0.1,
    )  # fmt: skip


def test_a_mapping_changes_only_the_kinds_it_names():
    """Other kinds keep their defaults."""
    policy = Policy(radius={"phash": 4})

    assert policy.radius["phash"] == 4
    assert policy.radius["pdq"] == 31


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"radius": {"pdq": 257}}, "0 to 256"),
        ({"radius": {"pdq": -1}}, "0 to 256"),
        ({"radius": {"pdq": True}}, "must be an integer"),
        ({"radius": {"pdq": 31.0}}, "must be an integer"),
        ({"radius": {"md5": 1}}, "'md5'"),
        ({"radius": 31}, "must map kinds"),
        ({"floor": {"pdq": 101}}, "floor: pdq must be .* 0 to 100"),
        ({"limits": Limits(pixels=0)}, "limits.pixels"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": math.inf}, "seconds"),
        ({"seconds": math.nan}, "seconds"),
        ({"seconds": True}, "seconds"),
        ({"seconds": "60"}, "seconds"),
        ({"seconds": None}, "seconds"),
        ({"seconds": 1_000_001}, "at most 1000000"),
        ({"memory": 1 << 63}, "an integer from"),
        ({"max_list_age": math.inf}, "max_list_age"),
        ({"max_list_age": 10**400}, "max_list_age"),
        ({"limits": Limits(bytes=math.inf)}, "limits.bytes"),
        ({"limits": Limits(nesting=0.5)}, "limits.nesting must be an integer"),
        ({"limits": Limits(bytes=1e6 + 0.5)}, "limits.bytes must be an integer"),
        ({"sampling": Sampling(usable=1.1)}, "sampling: usable"),
        ({"sampling": Sampling(every=10**400)}, "sampling: every"),
        ({"sampling": Sampling(videos=True)}, "sampling: videos"),
        ({"memory": -1}, "memory"),
        ({"memory": True}, "an integer from"),
        ({"memory": 1e9}, "an integer from"),
        ({"memory": 100 << 20}, "from 134217728"),
        ({"max_list_age": 0}, "max_list_age"),
        ({"digests_only": 1}, "digests_only"),
        ({"alone": ["pdq"]}, "alone: 'pdq' is not one of dhash, ahash, whash, whash256"),
        ({"alone": "dhash"}, "alone must be a list of kinds"),
        ({"alone": {"dhash": False}}, "alone must be a list of kinds"),
        ({"alone": True}, "alone must be a list of kinds"),
        ({"alone": [["dhash"]]}, "alone: "),
        ({"effort": "far"}, "effort must be one of distance, evidence, views, all, not 'far'"),
        ({"effort": "VIEWS"}, "effort must be one of"),
        ({"effort": None}, "effort must be one of"),
        ({"effort": ["views"]}, "effort must be one of"),
        ({"evidence": 80}, "evidence must map kinds to bits, such as {'pdq': 80}"),
        ({"evidence": None}, "evidence must map kinds"),
        ({"evidence": {"phash": 80}}, "evidence: 'phash' has no evidence; only pdq has"),
        ({"evidence": {"pdq": 0}}, "evidence: pdq must be an integer from 1 to 256, or false"),
        ({"evidence": {"pdq": 257}}, "evidence: pdq must be an integer from 1 to 256"),
        ({"evidence": {"pdq": True}}, "evidence: pdq must be an integer"),
        ({"evidence": {"pdq": 80.0}}, "evidence: pdq must be an integer"),
        ({"evidence": {"pdq": None}}, "evidence: pdq must be an integer"),
        ({"evidence": {"pdq": "80"}}, "evidence: pdq must be an integer"),
        (
            {"evidence_turned": {"pdq": 257}},
            "evidence_turned: pdq must be an integer from 1 to 256",
        ),
        ({"lists": ["known"]}, "lists must map names of lists to their settings"),
        ({"lists": {"known": 80}}, "lists.known must be a table of mode, radius, evidence, evid"),
        ({"lists": {"known": {"evidence": {"md5": 1}}}}, "lists.known: evidence: 'md5' has no"),
        ({"lists": {"known": {"evidence": {"pdq": -1}}}}, "lists.known: evidence: pdq must be"),
        ({"lists": {"known": {"kind": "pdq"}}}, "lists.known must be a table of mode"),
        ({"lists": {"known": {"mode": "on"}}}, "lists.known: mode must be one of enforce, shadow"),
        ({"lists": {"known": {"mode": True}}}, "lists.known: mode must be one of enforce, shadow"),
        ({"lists": {"known": {"radius": {"pdq": 257}}}}, "lists.known: radius: pdq must be"),
        ({"lists": {"known": {"radius": {"md5": 1}}}}, "lists.known: radius: 'md5' is not one"),
        ({"lists": {"known": {"radius": 20}}}, "lists.known: radius must map kinds"),
        ({"lists": {"known": {"ratio": 1.1}}}, "lists.known: ratio must be a number from 0 to 1"),
        ({"lists": {"known": {"ratio": -0.1}}}, "lists.known: ratio must be a number from 0 to 1"),
        ({"lists": {"known": {"ratio": True}}}, "lists.known: ratio must be a number from 0 to 1"),
        ({"lists": {"known": {"ratio": "0.5"}}}, "lists.known: ratio must be a number from"),
        ({"lists": {"known": {"ratio": math.nan}}}, "lists.known: ratio must be a number from"),
        ({"shadow_evidence": 1}, "shadow_evidence must be true or false"),
        ({"shadow_evidence": None}, "shadow_evidence must be true or false"),
        *(
            ({"insets": value}, "insets must be an integer from 0 to 64")
            for value in (-1, 65, None)
        ),
        ({"insets": 2.5}, "insets must be an integer"),
        ({"insets": "8"}, "insets must be an integer"),
        ({"inset_side": 31}, "inset_side must be an integer from 32 to 65536"),
        ({"inset_side": 65537}, "inset_side must be an integer from 32 to 65536"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(settings, message):
    """The error names the setting and its range."""
    with pytest.raises(PolicyError, match=message):
        Policy(**settings)


def test_the_ends_of_each_range_are_accepted():
    """Values just beyond them are refused."""
    for name, bits in (("pdq", 256), ("phash", 64), ("dhash256", 256), ("vpdq", 256)):
        for setting in ("radius", "known_good_radius"):
            for value in (0, bits):
                assert getattr(Policy(**{setting: {name: value}}), setting)[name] == value
            with pytest.raises(PolicyError, match=f"0 to {bits}"):
                Policy(**{setting: {name: bits + 1}})
    assert [Policy(floor={"pdq": value}).floor["pdq"] for value in (0, 100)] == [0, 100]
    assert [Policy(floor={"vpdq": value}).floor["vpdq"] for value in (50, 100)] == [50, 100]
    for memory in (128 << 20, 1 << 62):
        assert Policy(memory=memory).memory == memory
    assert Policy(seconds=1_000_000).seconds == 1e6
    assert [Policy(insets=number).insets for number in (0, 64)] == [0, 64]
    assert [Policy(inset_side=side).inset_side for side in (32, 65536)] == [32, 65536]
    # Of a size that a float would round.
    assert Policy(limits=Limits(bytes=(1 << 53) + 1)).limits.bytes == (1 << 53) + 1
    for wrong in ({"floor": {"vpdq": 49}}, {"memory": (128 << 20) - 1}):
        with pytest.raises(PolicyError):
            Policy(**wrong)


def test_views_are_searched_by_default():
    """Every list has a threshold of 80 bits, unless the effort is `distance`."""
    assert (Policy().effort, Policy().shadow_evidence) == (Effort.VIEWS, False)
    assert (dict(Policy().evidence), dict(Policy().lists)) == ({"pdq": 80}, {})
    assert Policy().evidence_threshold("known", "pdq") == 80
    assert Policy(effort="distance").evidence_threshold("known", "pdq") is None
    for effort in ("evidence", Effort.EVIDENCE, "views", Effort.VIEWS, "all"):
        policy = Policy(effort=effort)
        assert type(policy.effort) is Effort
        assert policy.effort == effort
        assert policy.evidence_threshold("known", "pdq") == 80
        assert policy.evidence_threshold("known", "phash") is None
        digests_only = replace(policy, digests_only=True)
        assert digests_only.evidence_threshold("known", "pdq") is None


def test_a_list_may_have_a_threshold_of_its_own():
    """Other lists have that of the policy, and so has a list that names no kind."""
    policy = Policy(
        effort="evidence",
        evidence={"pdq": 100},
        lists={"low": own(1), "off": own(False), "same": {}},
    )
    thresholds = {name: policy.evidence_threshold(name, "pdq") for name in (*"ab", *LISTS)}
    assert thresholds == {"a": 100, "b": 100, "low": 1, "off": None, "same": 100}
    off = Policy(effort="views", evidence={"pdq": False}, lists={"on": own(256)})
    assert [off.evidence_threshold(name, "pdq") for name in ("on", "a")] == [256, None]


def test_a_turned_picture_needs_100_bits_and_never_fewer_than_an_upright_one():
    """Of all lists or of one; False turns off all but the upright orientation."""
    lists = {"low": {"evidence_turned": {"pdq": 70}}, "high": own(120), "no": own(False)}
    policy = Policy(effort="views", lists=lists)
    thresholds = {
        name: policy.evidence_threshold(name, "pdq", turned=True) for name in ("a", *lists)
    }
    assert thresholds == {"a": 100, "low": 80, "high": 120, "no": None}
    off = Policy(evidence_turned={"pdq": False}, lists=lists)
    assert [off.evidence_threshold(name, "pdq", turned=True) for name in ("a", "low")] == [None, 80]
    assert off.evidence_threshold("a", "pdq") == 80


LISTS = ("low", "off", "same")


def own(bits):
    """Settings of a list with its own threshold."""
    return {"evidence": {"pdq": bits}}


def test_known_good_radius_defaults_to_radius():
    """Decoding of a video ends before its worker's time does."""
    policy = Policy(radius={"pdq": 20, "phash": 3}, known_good_radius={"pdq": 5}, seconds=10)

    assert (policy.known_good_radius["pdq"], policy.known_good_radius["phash"]) == (5, 3)
    assert policy.known_good_radius["vpdq"] == policy.radius["vpdq"]
    assert policy.decoding_seconds == pytest.approx(8)


def test_numpy_numbers_are_accepted():
    """They become Python numbers; the error for a value of another type names the setting."""
    made = Policy(
        radius={"pdq": np.int64(30)},
        evidence={"pdq": np.int64(90)},
        lists={"known": own(np.uint8(70))},
        seconds=np.float32(2),
        memory=np.int64(1 << 29),
        insets=np.uint8(3),
        limits=Limits(pixels=np.uint32(5)),
        sampling=Sampling(every=np.int64(2)),
    )
    same = Policy(
        radius={"pdq": 30},
        evidence={"pdq": 90},
        lists={"known": own(70)},
        seconds=2,
        memory=1 << 29,
        insets=3,
        limits=Limits(pixels=5),
        sampling=Sampling(every=2),
    )

    assert (made, made.fingerprint) == (same, same.fingerprint)
    assert json.loads(json.dumps(made.to_dict())) == same.to_dict()
    for wrong in ({"limits": {"bytes": 1}}, {"sampling": {"every": 1}}):
        with pytest.raises(PolicyError, match=next(iter(wrong))):
            Policy(**wrong)


def test_a_policy_is_frozen():
    """Neither fields nor mappings can be changed."""
    policy = Policy()

    with pytest.raises(AttributeError):
        policy.seconds = 1
    with pytest.raises(TypeError):
        policy.radius["pdq"] = 0
    lists = Policy(lists={"known": {}}).lists
    for mapping in (policy.evidence, lists, lists["known"].radius, lists["known"].evidence):
        with pytest.raises(TypeError):
            mapping["pdq"] = {}


def test_equal_policies_are_one_key_of_a_set():
    """However their numbers were written."""
    assert len({Policy(), Policy(seconds=60), Policy(radius={"pdq": 31}), Policy(seconds=59)}) == 2


def test_equal_policies_have_equal_fingerprints_and_others_do_not():
    """Every setting changes the fingerprint; its spelling does not."""
    same = [Policy(radius={"pdq": 31}), Policy(seconds=60), Policy(seconds=60.0)]
    assert {one.fingerprint for one in same} == {Policy().fingerprint}
    assert Policy(max_list_age=1).fingerprint == Policy(max_list_age=1.0).fingerprint
    whole, parts = Sampling(every=2, usable=1), Sampling(every=2.0, usable=1.0)
    assert Policy(sampling=whole).fingerprint == Policy(sampling=parts).fingerprint
    few, floats = Limits(frames=10), Limits(frames=10.0)
    assert Policy(limits=few).fingerprint == Policy(limits=floats).fingerprint
    named = [Policy(effort="views"), Policy(effort=Effort.VIEWS)]
    assert named[0].fingerprint == named[1].fingerprint
    assert Policy(evidence={"pdq": 80}).fingerprint == Policy().fingerprint
    orders = [{name: own(90) for name in names} for names in ("ab", "ba")]
    assert len({Policy(lists=order).fingerprint for order in orders}) == 1
    twice = Policy(alone=("whash", "dhash", "whash"))
    assert (twice, twice.alone) == (Policy(alone={"dhash", "whash"}), ("dhash", "whash"))
    others = [
        Policy(radius={"pdq": 30}),
        Policy(floor={"pdq": 51}),
        Policy(limits=Limits(bytes=1)),
        Policy(seconds=59),
        Policy(memory=1 << 29),
        Policy(digests_only=True),
        Policy(max_list_age=1),
        Policy(known_good_radius={"pdq": 30}),
        Policy(sampling=Sampling(every=2)),
        Policy(alone=["whash"]),
        *(Policy(effort=effort) for effort in Effort if effort != Policy().effort),
        Policy(evidence={"pdq": 81}),
        Policy(evidence={"pdq": False}),
        Policy(lists={"known": own(81)}),
        Policy(lists={"other": own(81)}),
        Policy(lists={"known": own(False)}),
        Policy(lists={"known": {"mode": "shadow"}}),
        Policy(lists={"known": {"mode": "off"}}),
        Policy(lists={"known": {"radius": {"pdq": 31}}}),
        Policy(lists={"known": {"radius": {"pdq": 30}}}),
        Policy(lists={"known": {"ratio": 0.5}}),
        Policy(shadow_evidence=True),
        Policy(insets=0),
        Policy(inset_side=95),
    ]
    assert len({one.fingerprint for one in [Policy(), *others]}) == len(others) + 1


def test_a_policy_can_be_pickled():
    """With any setting."""
    settings = {"radius": {"pdq": 12}, "known_good_radius": {"pdq": 0}, "floor": {"pdq": 0}}
    policy = Policy(
        **settings,
        limits=Limits(frames=3),
        sampling=Sampling(every=2),
        seconds=3,
        memory=1 << 29,
        digests_only=True,
        max_list_age=5,
        alone=["ahash"],
        effort="views",
        evidence={"pdq": False},
        lists={
            "known": {
                "mode": "shadow",
                "radius": {"pdq": 9},
                "evidence": {"pdq": 100},
                "ratio": 0.5,
            }
        },
        shadow_evidence=True,
        insets=3,
        inset_side=64,
    )

    found = pickle.loads(pickle.dumps(policy))
    assert (found, found.fingerprint) == (policy, policy.fingerprint)
    assert found.effort is Effort.VIEWS


def test_settings_of_evidence_are_plain_values():
    """JSON has them as they are, and a policy of them is the same."""
    policy = Policy(effort=Effort.VIEWS, evidence={"pdq": False}, lists={"known": own(100)})
    settings = json.loads(json.dumps(policy.to_dict()))
    names = ("effort", "evidence", "lists", "shadow_evidence")
    some = {name: settings[name] for name in names}
    assert some == {
        "effort": "views",
        "evidence": {"pdq": False},
        "lists": {"known": {"mode": "enforce", "evidence": {"pdq": 100}, "ratio": 1.0}},
        "shadow_evidence": False,
    }
    assert Policy(**some) == policy


def test_a_policy_file_has_the_fields_as_keys_and_tables(tmp_path):
    """It loads as the policy made with the same settings in Python."""
    file = tmp_path / "policy.toml"
    file.write_text(
        "seconds = 5\ndigests_only = true\nmax_list_age = 60\nmemory = 536870912\n"
        "effort = 'views'\nshadow_evidence = true\ninsets = 3\ninset_side = 64\n"
        "[radius]\npdq = 20\n[known_good_radius]\npdq = 8\n[floor]\npdq = 60\n"
        "[limits]\nframes = 3\n[sampling]\nevery = 2\nscenes = true\n"
        "[evidence]\npdq = 90\n[lists.known]\nmode = 'shadow'\nratio = 0.5\n"
        "radius.pdq = 20\nevidence.pdq = false\n[lists.other]\nevidence.pdq = 90\n"
    )

    assert Policy.load(file) == Policy(
        seconds=5,
        digests_only=True,
        max_list_age=60,
        memory=1 << 29,
        radius={"pdq": 20},
        known_good_radius={"pdq": 8},
        floor={"pdq": 60},
        limits=Limits(frames=3),
        sampling=Sampling(every=2, scenes=True),
        effort="views",
        shadow_evidence=True,
        insets=3,
        inset_side=64,
        evidence={"pdq": 90},
        lists={
            "known": {"mode": "shadow", "ratio": 0.5, "radius": {"pdq": 20}, **own(False)},
            "other": own(90),
        },
    )


@pytest.mark.parametrize(
    ("load", "text"),
    [
        (Policy.load, "[radius]\npdq = 20"),
        (Terms.load, "tlp = 'RED'"),
        (ColumnMapping.load, "[columns]\nX = 'md5'"),
        (export_list._read_category_numbers, "[a-scheme]\nA = 1"),
        (Table.load, "[en]\na = 1"),
    ],
    ids=["policy", "terms", "mapping", "categories", "hotline"],
)
def test_a_byte_order_mark_in_a_settings_file_is_ignored(tmp_path, load, text):
    """Editors on Windows write it invisibly."""
    file = tmp_path / "one.toml"
    file.write_text(text, encoding="utf-8")
    without = load(file)
    file.write_text(text, encoding="utf-8-sig")

    assert load(file) == without


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("threshold = 31", "unknown setting 'threshold'"),
        ("[limits]\npixel = 1", "limits"),
        ("limits = 3", "limits"),
        ("[limits]\npixels = 'many'", "limits.pixels"),
        ("[limits]\npixels = true", "limits.pixels"),
        ("[limits]\npixels = 1.5", "limits.pixels"),
        ("[sampling]\nevry = 1", "sampling"),
        ("[radius]\npdq = 300", "pdq"),
        ("effort = 'most'", "effort must be one of distance, evidence, views, all"),
        ("evidence = 80", "evidence must map kinds"),
        ("[evidence]\npdq = 0", "evidence: pdq must be an integer from 1 to 256"),
        ("[evidence]\nphash = 8", "'phash' has no evidence"),
        ("[lists]\nknown = 80", "lists.known must be a table"),
        ("[lists.known.evidence]\npdq = 300", "lists.known: evidence: pdq"),
        ("shadow_evidence = 'yes'", "shadow_evidence must be true or false"),
        ("radius = ", "cannot read"),
        ("\xff", "cannot read"),
    ],
)
def test_the_error_for_a_policy_file_names_file_and_setting(tmp_path, text, message):
    """Wrong names, values and syntax."""
    file = tmp_path / "policy.toml"
    file.write_bytes(text.encode("latin-1"))

    with pytest.raises(PolicyError, match=message) as caught:
        Policy.load(file)
    assert "policy.toml" in str(caught.value)
