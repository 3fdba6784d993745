"""Show, store and compare addresses of content."""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from unicodedata import normalize
from urllib.parse import SplitResult, quote, urlsplit

from screener.errors import HotlineError
from screener.hotline.language.sentence import mark
from screener.hotline.language.translator import remove_invisible

_HTTP_SCHEME = re.compile(r"(?i)\bh(tt)(ps?)(?=\s*:)")
# Host names treat it as a dot; NFKC does not.
_IDEOGRAPHIC_STOP = "\u3002"


def defang(address: str) -> str:
    """Return an address as one line that no program opens: `hxxps[:]//example[.]com/a`.

    `http` becomes `hxxp`. Dots and colons, and characters that a program may take for them, are
    put into brackets. Unprintable characters, such as line ends, are percent-encoded.
    """
    text = "".join(c if c.isprintable() else quote(c, errors="replace") for c in address.strip())
    text = _HTTP_SCHEME.sub(lambda match: f"hxx{match[2].lower()}", text)
    return "".join(f"[{c}]" if _is_separator(c) else c for c in text)


def _is_separator(character: str) -> bool:
    return not set(normalize("NFKC", character) + character).isdisjoint(f".:{_IDEOGRAPHIC_STOP}")


MAX_ADDRESS_LENGTH = 2_048
PICTURE_AS_ADDRESS = mark(
    "this is the picture itself, not an address: give the address of the page that shows it"
)

# Query parameters that track readers and do not identify the page.
_TRACKING_PARAMETER = re.compile(
    r"utm_[a-z_]+|fbclid|gclid|dclid|msclkid|igsh(?:id)?|mc_eid|mibextid|twclid|ttclid", re.A | re.I
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SAFE_CHARACTERS = "!$&'()*+,;=:@/?-._~%"
_PERCENT_ESCAPE = re.compile(r"%([0-9a-f]{2})", re.A | re.I)
_UNRESERVED_CHARACTER = re.compile(r"[\w.~-]", re.A)
# Characters that browsers ignore in an address.
_IGNORED_CHARACTERS = re.compile(r"[\t\r\n]")
# IDNA 2008 allows these in host names, but Python's codec maps them to other characters.
_IDNA_DEVIATIONS = re.compile("[ßς\u200c\u200d]")
# Invisible, but part of words and host names, for instance in Persian.
_JOINERS = "\u200c\u200d"
_ESCAPED_JOINER = re.compile(r"%E2%80%8[CD]", re.I)
# A host as people write it, without a scheme.
_HOST_PATTERN = re.compile(r"(?:[\w.-]+\.\w{2,}|\d+(?:\.\d+){3})(?=[:/?#]|$)")
# After a scheme that they know, browsers need no slash before the host.
_ADDRESS_PARTS = re.compile(
    r"(?P<scheme>h(?:tt|xx)ps?\[?:\]?/*|(?:ftp|wss?):/*|[a-z][a-z0-9+.-]*\[?:\]?//)?"
    r"(?P<host>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?P<fragment>#.*)?",
    re.A | re.I | re.S,
)
_PERSONAL_SCHEME = re.compile(r"@|(?:mailto|xmpp|sips?|acct|im|matrix|skype):", re.A | re.I)
_DATA_SCHEME = re.compile(r"data\[?:", re.A | re.I)
_LOCAL_PATH = re.compile(r"file:|[a-z]:[\\/]|\\\\|~[/\\]|\.{0,2}/", re.A | re.I)


def is_picture(address: str) -> bool:
    """Return whether a text is a picture itself (`data:`) instead of an address."""
    return _DATA_SCHEME.match(_encode_invisible(address)) is not None


def clean_address(text: str) -> str:
    """Return an address in the form for a report.

    Removes user name, password, tracking parameters and surrounding invisible characters, and
    percent-encodes invisible characters inside. Raises HotlineError if the text is no address, a
    local file, or the picture itself.
    """
    address = _encode_invisible(unicodedata.normalize("NFC", text))
    if _DATA_SCHEME.match(address):
        raise HotlineError(PICTURE_AS_ADDRESS)
    if not address or not address.isprintable() or len(address) > MAX_ADDRESS_LENGTH:
        raise HotlineError(
            mark("an address is one line of text of at most {most} characters"),
            most=MAX_ADDRESS_LENGTH,
        )
    if _LOCAL_PATH.match(address) or os.path.lexists(address):
        raise HotlineError(
            mark(
                "this is a file on your own computer, not the address of a page: its name"
                " could reveal who you are"
            )
        )
    parts = _split_address(address)
    if parts is None:
        return address
    query = _remove_tracking(parts["query"][1:])
    host = parts["host"].rpartition("@")[2]
    return (
        parts["scheme"] + host + parts["path"] + (f"?{query}" if query else "") + parts["fragment"]
    )


def _encode_invisible(text: str) -> str:
    """Remove surrounding invisible characters and those in scheme and host; encode the others."""
    begin, end = 0, len(text)
    while begin < end and _is_padding(text[begin]):
        begin += 1
    while begin < end and _is_padding(text[end - 1]):
        end -= 1
    inner = text[begin:end]
    parts = _split_address(remove_invisible(inner))
    if parts is None:
        return remove_invisible(inner)
    visible: list[str] = []
    remaining = len(parts["scheme"] + parts["host"])
    for character in inner:
        if unicodedata.category(character) != "Cf":
            visible.append(character)
            remaining -= 1
        elif remaining < 0 or (character in _JOINERS and remaining < len(parts["host"])):
            visible.append(quote(character))
    return "".join(visible)


def _is_padding(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) == "Cf"


def _split_address(address: str) -> dict[str, str] | None:
    """Return the parts of a web address, or None for any other text."""
    match = _ADDRESS_PARTS.fullmatch(_replace_backslashes(address))
    if match is None or "|" in match["host"]:  # as in an eD2k link
        return None
    parts = {name: text or "" for name, text in match.groupdict().items()}
    if parts["scheme"]:
        return parts if parts["host"] else None
    name, separator, host = parts["host"].rpartition("@")
    if not _is_host(host.replace("[.]", ".")) or _PERSONAL_SCHEME.match(name):
        return None
    has_path = parts["path"] + parts["query"] + parts["fragment"]
    return parts if not separator or ":" in name or has_path else None


def _is_host(text: str) -> bool:
    return _HOST_PATTERN.match(_ESCAPED_JOINER.sub("", text)) is not None


def normalise_address(address: str) -> str:
    """Return a key that is equal for different addresses of one page.

    Ignores the scheme, `www.`, the default port, a trailing slash, the case of the host, needless
    percent-encoding and tracking parameters. Keeps the fragment after `#`, since it names the page
    on many sites.
    """
    text = unicodedata.normalize("NFC", _IGNORED_CHARACTERS.sub("", address).strip())
    text = re.sub(r"^hxxp", "http", text, flags=re.I).replace("[.]", ".").replace("[:]", ":")
    text = _replace_backslashes(text)
    parts = _split_url(text)
    if parts is None and "://" not in text and _is_host(_to_nfkc(text)):
        parts = _split_url(f"https://{text}")
    if parts is None:
        return "".join(_to_nfkc(text).split()).casefold()
    host = _to_nfkc(parts.netloc.rpartition("@")[2]).rstrip(".").lower()
    name, _, port = host.rpartition(":")
    if name and port == str(_DEFAULT_PORTS[parts.scheme.lower()]):
        host = name
    # Keep invalid host names, and those that Python would map to another name.
    if not _IDNA_DEVIATIONS.search(host):
        with contextlib.suppress(UnicodeError):
            host = host.encode("idna").decode()
    path = _normalise_escapes(parts.path).rstrip("/")
    query = _normalise_escapes(_remove_tracking(parts.query))
    fragment = _normalise_escapes(parts.fragment.partition(":~:")[0])
    suffix = (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")
    return host.removeprefix("www.") + path + suffix


def _to_nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _split_url(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        is_url = parts.scheme.lower() in _DEFAULT_PORTS and bool(parts.netloc)
    except ValueError:
        return None
    return parts if is_url else None


def _replace_backslashes(address: str) -> str:
    """Replace backslashes before the query by slashes, as browsers do."""
    match = re.match(r"[^?#]*", address)
    end = match.end() if match else 0
    return address[:end].replace("\\", "/") + address[end:]


def _remove_tracking(query: str) -> str:
    parts = [
        part
        for part in query.split("&")
        if not _TRACKING_PARAMETER.fullmatch(part.partition("=")[0])
    ]
    return "&".join(filter(None, parts))


def _normalise_escapes(text: str) -> str:
    """Unify the percent-encoding of a text; an escaped separator stays escaped."""
    return _PERCENT_ESCAPE.sub(_unescape, quote(text, safe=_SAFE_CHARACTERS))


def _unescape(escaped: re.Match[str]) -> str:
    character = chr(int(escaped[1], 16))
    return character if _UNRESERVED_CHARACTER.fullmatch(character) else escaped[0].upper()
