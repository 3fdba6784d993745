"""Screen the media of a Matrix server: a module of Synapse.

Install `media-screener[client]` where Synapse is installed, put this file there, and add to
`homeserver.yaml`:

    modules:
      - module: synapse_screening.MediaScreening
        config:
          url: http://127.0.0.1:8000
          key: screener_...       # if the service has keys
          unscreened: accept      # or refuse

Synapse calls it for each local and remote file, and for thumbnails. Files of encrypted rooms cannot
be read, so they are unscreened, as documents without pictures are: with `unscreened: refuse`, users
can send neither.
"""

import logging
from typing import Any

from synapse.module_api import NOT_SPAM, ModuleApi
from synapse.module_api.errors import Codes, ConfigError

from screener import ScreenerError, Verdict
from screener.service import Client

logger = logging.getLogger(__name__)


class MediaScreening:
    """A spam checker that refuses files which match a listed entry."""

    def __init__(self, config: dict[str, Any], api: ModuleApi) -> None:
        self._api = api
        self._accepts_unscreened = config["unscreened"] == "accept"
        self.client = Client(config["url"], key=config.get("key"), timeout=60)
        api.register_spam_checker_callbacks(check_media_file_for_spam=self.check_file)

    @staticmethod
    def parse_config(config: dict[str, Any]) -> dict[str, Any]:
        """Return the configuration. Raises ConfigError if something is missing or wrong."""
        if "url" not in config or config.get("unscreened") not in ("accept", "refuse"):
            raise ConfigError("media screening needs `url`, and `unscreened`: accept or refuse")
        return config

    async def check_file(self, file_wrapper: Any, file_info: Any) -> Any:
        """Return NOT_SPAM, or a code that refuses the file."""
        try:
            # A thread, since Synapse runs in Twisted and not in asyncio.
            result = await self._api.defer_to_thread(self.client.screen, file_wrapper.path)
        except ScreenerError as error:
            logger.error("a file was refused, since it was not screened: %s", error)
            return Codes.FORBIDDEN
        if result.verdict is Verdict.MATCH:
            hits = [(match.list, match.source, match.entry) for match in result.matches]
            logger.warning("media %s matches %s", file_info.file_id, hits)  # report it
            return Codes.FORBIDDEN
        if result.verdict is Verdict.UNSCREENED and not self._accepts_unscreened:
            return Codes.FORBIDDEN
        return NOT_SPAM
