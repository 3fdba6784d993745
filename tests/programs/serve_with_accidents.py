"""`screener serve` whose workers have the accidents that uploads order: see `pool_accidents`."""

from unittest.mock import patch

from pool_accidents import Engine

from screener.cli.app import main
from screener.service import server

if __name__ == "__main__":
    with patch.object(server, "Screener", Engine):
        import sys

        sys.argv.insert(1, "serve")
        main()
