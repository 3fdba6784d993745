"""The HTTP service: screening and matching for programs in any language, and its client.

The service needs the extra `serve`, the client the extra `client`. Nothing of it is loaded by
`import screener`; `Client` and `AsyncClient` are loaded when they are first used.
"""

from importlib import import_module as _import

from screener.system.installation import format_install as _format_install

TYPE_CHECKING = False
if TYPE_CHECKING:
    from screener.service.client import AsyncClient, Client, ListInfo

__all__ = ["AsyncClient", "Client", "ListInfo"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'screener.service' has no attribute '{name}'")
    try:
        value = getattr(_import("screener.service.client"), name)
    except ModuleNotFoundError as error:
        if error.name != "httpx":
            raise
        raise ImportError(
            f"httpx is not installed: install the extra, {_format_install('client')}",
            name="httpx",
        ) from None
    globals()[name] = value
    return value
