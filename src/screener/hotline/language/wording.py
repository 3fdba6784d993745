"""Wording: the names of states and outcomes for the team, and what each state means to whoever
reported. English; a Translator says them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from screener.hotline.language.sentence import marked
from screener.hotline.language.translator import Translator, unreviewed
from screener.hotline.model.case import Outcome, State

if TYPE_CHECKING:
    from screener.hotline.notices.acknowledgement import Event

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

ANSWERS: Mapping[Event, str] = MappingProxyType(
    {
        "acknowledged": marked("acknowledged"),
        "removed": marked("removed"),
        "refused": marked("refused"),
    }
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
"""What a list says of a record."""

UNHASHED: Mapping[str, str] = MappingProxyType(
    {
        "undecodable": marked("no picture can be read from it"),
        "truncated": marked("it is cut short"),
        "unsupported": marked("it is of no type that can be read"),
        "too_large": marked("it is too large"),
        "too_little_detail": marked("it shows too little"),
        "not_comparable": marked("nothing of it can be compared"),
        "encrypted": marked("it is encrypted"),
        "no_video": marked("there are no pictures in it"),
        "empty": marked("it is empty"),
        "timeout": marked("it takes too long"),
        "crashed": marked("the program that reads it has crashed"),
        "unreadable": marked("it cannot be opened"),
    }
)
"""Why a file cannot be hashed, by the reason that an error carries."""

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
"""What each state means to whoever reported; none of it tells what the content was."""


def unreviewed_notice(say: Translator) -> str | None:
    """What the operator, never a reporter, is told while texts have not been reviewed by a native
    speaker; None once all are signed.
    """
    languages = unreviewed()
    if not languages:
        return None
    names = {"ar": say("Arabic"), "fr": say("French")}
    listed = say(", ").join(names[language] for language in languages)
    return say(
        "No native speaker has reviewed these texts yet: {languages}. They sign in"
        " locale/REVIEWED.toml."
    ).format(languages=listed)
