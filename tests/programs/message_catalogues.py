"""Find the hotline's messages in the sources, and update its catalogues.

`python tests/programs/message_catalogues.py` adds missing messages to each catalogue without a
translation, removes unused ones, and prints what is left to translate.
"""

import ast
import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))
from paths import REPOSITORY

from screener.cli import translated_commands
from screener.cli.app import SECTIONS

LANGUAGES = ("ar", "fr")
# The calls that contain messages, and how many texts each has.
WORDS = {"translate": 1, "mark": 1, "plural": 2}


def sources(package: Path) -> list[Path]:
    """Return the modules of the hotline and of its commands."""
    found = sorted((package / "hotline").rglob("*.py"))
    for path in sorted((package / "cli").rglob("*.py")):
        if "screener.hotline" in path.read_text(encoding="utf-8"):
            found.append(path)
    return found


def extracted(package: Path) -> Catalog:
    """Return a catalogue of the sources' messages, untranslated.

    It searches the syntax tree, so messages inside f-strings are found.
    """
    found = Catalog(charset="utf-8")
    for path in sources(package):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (message := message_of(node)):
                found.add(message)
    return found


def helps() -> Catalog:
    """Return a catalogue of the help texts of the hotline's commands."""
    found = Catalog(charset="utf-8")
    for command in SECTIONS["Hotline"]:
        for text in translated_commands.help_texts(command):
            found.add(text)
    return found


def message_of(call: ast.Call) -> str | tuple[str, ...] | None:
    """Return the message of a call: a text, or a singular and a plural.

    Returns None for another call, and for a text that is marked elsewhere.
    """
    named = call.func
    name = named.id if isinstance(named, ast.Name) else getattr(named, "attr", "")
    texts = [arg.value for arg in call.args[: WORDS.get(name, 0)] if isinstance(arg, ast.Constant)]
    if not texts or len(texts) != WORDS[name]:
        return None
    return texts[0] if len(texts) == 1 else tuple(texts)


def path_of(package: Path, language: str) -> Path:
    """Return the path of a language's catalogue."""
    return package / "hotline" / "language" / "locale" / language / "LC_MESSAGES" / "screener.po"


def updated(package: Path, language: str) -> Catalog:
    """Return a language's catalogue with the messages of the sources, and no others."""
    text = path_of(package, language).read_bytes()
    found = read_po(io.BytesIO(text), locale=language)
    said = extracted(package)
    for message in helps():
        if message.id:
            said.add(message.id)
    found.update(said, no_fuzzy_matching=True, update_header_comment=False)
    found.obsolete.clear()
    return found


def main() -> None:
    """Rewrite the catalogues and print what is missing."""
    package = REPOSITORY / "src/screener"
    for language in LANGUAGES:
        catalogue = updated(package, language)
        out = io.BytesIO()
        write_po(out, catalogue, width=100, omit_header=True)
        path = path_of(package, language)
        header = path.read_bytes().partition(b"\n\n")[0]  # written by hand
        path.write_bytes(header + b"\n\n" + out.getvalue().strip() + b"\n")
        for message in catalogue:
            texts = message.string if isinstance(message.string, tuple) else (message.string,)
            if message.id and not all(texts):
                print(f"{language}: {message.id!r}")


if __name__ == "__main__":
    main()
