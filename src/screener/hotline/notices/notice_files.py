"""Render a notice: JSON for machines, plain text and HTML for people in their languages."""

from __future__ import annotations

import json
from collections.abc import Iterator

from screener.hotline.language import html
from screener.hotline.language.translator import Translator, get_translator
from screener.hotline.model.addresses import defang
from screener.hotline.notices import acknowledgements
from screener.hotline.notices.notice import Notice
from screener.reporting.pages.html import opening, text

_MAX_HASH_LENGTH = 400  # characters of a hash for people; the value of a video is longer


def render_files(notice: Notice) -> dict[str, str]:
    """Return the texts of a notice by file name."""
    # ASCII makes characters visible that change the direction of text or hide it.
    texts = {"notice.json": json.dumps(notice.to_dict(), indent=2) + "\n"}
    for language in notice.partner.languages:
        translate = get_translator(language)
        texts[f"notice.{language}.txt"] = render_text(notice, translate)
        texts[f"notice.{language}.html"] = render_html(notice, translate)
    return texts


def _title(notice: Notice, translate: Translator) -> str:
    return translate("Request to remove content: {reference}", reference=notice.case)


def _list_fields(notice: Notice, translate: Translator) -> Iterator[tuple[str, str]]:
    zone = notice.hotline.zone
    yield translate("Notice"), notice.id
    yield translate("Case"), notice.case
    yield translate("From"), notice.hotline.name
    yield translate("To"), notice.partner.name
    yield translate("Report received"), translate.moment(notice.received, zone)
    yield translate("Please act by"), translate.moment(notice.due, zone)
    yield translate("Notice written"), translate.moment(notice.written, zone)
    yield translate("Legal basis"), notice.legal_basis or translate("not stated")
    if notice.level is not None:
        yield translate("Hashes may be shared as"), f"TLP:{notice.level}"
    yield translate("If something is wrong, or more time is needed"), notice.hotline.contact


def _request_text(translate: Translator) -> str:
    return translate(
        "{hotline} has assessed this content as illegal. Please remove it, keep it from being"
        " uploaded again, and confirm that you have. The time to act is 24 hours, counted from when"
        " the report was received."
    )


def _list_hashes(notice: Notice, translate: Translator) -> list[tuple[str, str]]:
    return [
        (kind, value if len(value) <= _MAX_HASH_LENGTH else translate("see notice.json"))
        for kind, value in ((hash_.kind.name, hash_.text) for hash_ in notice.hashes)
    ]


def _addresses_heading(notice: Notice, translate: Translator) -> str:
    return translate.plural("{n} address", "{n} addresses", len(notice.addresses))


def _hashes_heading(notice: Notice, translate: Translator) -> str:
    return translate.plural("{n} hash", "{n} hashes", len(notice.hashes))


def _addresses_hint(translate: Translator) -> str:
    return translate(
        "Addresses are changed here so that nobody opens one by accident. notice.json holds them"
        " exactly."
    )


def _answer_hint(translate: Translator) -> str:
    return translate(
        "To answer, put a file such as this one, whose name ends in .json, into the folder"
        " acknowledgements. The event is acknowledged, removed or refused; at is when, by is who"
        " you are: fill both in."
    )


def render_text(notice: Notice, translate: Translator) -> str:
    """Return the notice as plain text, one field, address or hash per line."""
    lines = [
        _title(notice, translate), "",
        _request_text(translate).format(hotline=translate.isolate(notice.hotline.name)), "",
        *(
            f"{name}{translate(': ')}{translate.isolate(value)}"
            for name, value in _list_fields(notice, translate)
        ),
    ]  # fmt: skip
    if notice.addresses:
        lines += ["", _addresses_heading(notice, translate), _addresses_hint(translate)]
        lines += [f"  {translate.isolate_ltr(defang(address))}" for address in notice.addresses]
    if notice.hashes:
        lines += ["", _hashes_heading(notice, translate)]
        lines += [
            f"  {translate.isolate_ltr(f'{kind} {value}')}"
            for kind, value in _list_hashes(notice, translate)
        ]
    lines += ["", _answer_hint(translate)]
    lines = [translate.line(line) if line else "" for line in lines]
    # The example has no direction marks, so that a copy of it is valid JSON.
    return "\n".join([*lines, *acknowledgements.format_example(notice.id), ""])


def render_html(notice: Notice, translate: Translator) -> str:
    """Return the notice as an HTML page."""
    ltr = {notice.id, notice.case}
    fields = [
        (html.escape_text(name), html.code(value) if value in ltr else html.isolate(value))
        for name, value in _list_fields(notice, translate)
    ]
    name = html.isolate(notice.hotline.name)
    request = html.fill(_request_text(translate), hotline=name)
    body = f"<p>{request}</p>\n{html.definition_list(fields)}"
    if notice.addresses:
        body += (
            f"<h2>{html.escape_text(_addresses_heading(notice, translate))}</h2>\n"
            f"<p>{html.escape_text(_addresses_hint(translate))}</p>\n"
            + _render_list(html.code(defang(address)) for address in notice.addresses)
        )
    if notice.hashes:
        body += f"<h2>{html.escape_text(_hashes_heading(notice, translate))}</h2>\n" + _render_list(
            f"{html.code(kind)} {html.code(value)}"
            for kind, value in _list_hashes(notice, translate)
        )
    example = "\n".join(text(line) for line in acknowledgements.format_example(notice.id))
    body += (
        f"<h2>{html.escape_text(translate('How to answer'))}</h2>\n"
        f"<p>{html.escape_text(_answer_hint(translate))}</p>\n"
        f'<pre dir="ltr">{example}</pre>\n'
    )
    return html.page(opening("case notify"), translate, _title(notice, translate), body)


def _render_list(items: Iterator[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>\n"
