"""Wording: the names of states and outcomes, and what each state means to a reporter."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from screener.hotline.language.sentence import marked
from screener.hotline.language.translator import Translator, unreviewed
from screener.hotline.model.case import Outcome, State

STATES: Mapping[State, str] = MappingProxyType(
    {
        "received": marked("received"),
        "assessed": marked("assessed"),
        "notified": marked("notified"),
        "removed": marked("removed"),
        "refused": marked("refused"),
        "withdrawn": marked("withdrawn"),
    }
)

OUTCOMES: Mapping[Outcome, str] = MappingProxyType(
    {"illegal": marked("illegal"), "not_illegal": marked("not illegal")}
)

LISTED: Mapping[str, str] = MappingProxyType(
    {
        "confirmed": marked("confirmed"),
        "disputed": marked("disputed"),
        "seed": marked("reported, not assessed"),
        "known_good": marked("known to be harmless"),
        "withdrawn": marked("taken off the list"),
    }
)
"""The states of a listed record."""

FOR_REPORTERS: Mapping[State, str] = MappingProxyType(
    {
        "received": marked("Your report has arrived. An analyst of the hotline will look at it."),
        "assessed": marked("An analyst has looked at your report."),
        "notified": marked("The services where the content was seen have been asked to remove it."),
        "removed": marked("The content has been removed where the hotline asked for it."),
        "refused": marked(
            "The hotline could not have the content removed. The helplines below can tell you"
            " what else can be done."
        ),
        "withdrawn": marked("Your report has been withdrawn. Nothing more will be done with it."),
    }
)
"""What each state means to the reporter, without describing the content."""


def unreviewed_notice(say: Translator) -> str | None:
    """Return a warning for the operator, never for reporters, about unreviewed texts, or None."""
    languages = unreviewed()
    if not languages:
        return None
    names = {"ar": say("Arabic"), "fr": say("French")}
    listed = say(", ").join(names[language] for language in languages)
    return say(
        "No native speaker has reviewed these texts yet: {languages}. They sign in"
        " locale/REVIEWED.toml."
    ).format(languages=listed)
