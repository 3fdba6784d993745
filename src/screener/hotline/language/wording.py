"""Names of states and outcomes, and texts that explain a state to a reporter."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from screener.hotline.language.sentence import mark
from screener.hotline.language.translator import Translator, list_unreviewed
from screener.hotline.model.case import Outcome, State

STATES: Mapping[State, str] = MappingProxyType(
    {
        "received": mark("received"),
        "assessed": mark("assessed"),
        "notified": mark("notified"),
        "removed": mark("removed"),
        "refused": mark("refused"),
        "withdrawn": mark("withdrawn"),
    }
)

OUTCOMES: Mapping[Outcome, str] = MappingProxyType(
    {"illegal": mark("illegal"), "not_illegal": mark("not illegal")}
)

# The states of a listed record.
RECORD_STATES: Mapping[str, str] = MappingProxyType(
    {
        "confirmed": mark("confirmed"),
        "disputed": mark("disputed"),
        "seed": mark("reported, not assessed"),
        "known_good": mark("known to be harmless"),
        "withdrawn": mark("taken off the list"),
    }
)

# What each state means to the reporter, without describing the content.
FOR_REPORTERS: Mapping[State, str] = MappingProxyType(
    {
        "received": mark("Your report has arrived. An analyst of the hotline will look at it."),
        "assessed": mark("An analyst has looked at your report."),
        "notified": mark("The services where the content was seen have been asked to remove it."),
        "removed": mark("The content has been removed where the hotline asked for it."),
        "refused": mark(
            "The hotline could not have the content removed. The helplines below can tell you"
            " what else can be done."
        ),
        "withdrawn": mark("Your report has been withdrawn. Nothing more will be done with it."),
    }
)


def warn_of_unreviewed(translate: Translator) -> str | None:
    """Return a warning about unreviewed texts for the operator (not for reporters), or None."""
    languages = list_unreviewed()
    if not languages:
        return None
    names = {"ar": translate("Arabic"), "fr": translate("French")}
    listed = translate(", ").join(names[language] for language in languages)
    return translate(
        "No native speaker has reviewed these texts yet: {languages}. They sign in"
        " locale/REVIEWED.toml."
    ).format(languages=listed)
