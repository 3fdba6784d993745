"""The settings of a service."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from screener.errors import ServiceError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a service, as the options of `screener serve`.

    Parameters:
        lists: Folders of hash lists; none only with `hma`, whose clients make banks.
        hugepages: Copy their indexes into large pages of this process, for faster look-ups.
        policy: A policy file, or None for the default policy.
        host: The address to listen on; a name is resolved.
        port: The port; 0 for a free one.
        keys: A file of keys, made by `screener serve-key`. Without keys, only a loopback address is
            allowed, and every request may do everything.
        jobs: Worker processes (default: one per core).
        allowed_hosts: Names besides `localhost` under which a service without keys answers, to
            everybody who reaches its address.
        queue: Uploads that may wait for a worker.
        body_bytes: Bytes of one request.
        buffered_bytes: Bytes of all requests that are being received or screened.
        connections: Open connections.
        header_seconds: Time for the header of a request, from its first byte, and for the first
            request of a connection.
        body_seconds: Time for the body of a request, and for a client to read an answer.
        idle_seconds: Time between two requests of a connection.
        answer_seconds: Time from a body's last byte to the Result.
        poll_seconds: Time between two looks for newer lists, on average.
        grace_seconds: Time between the signal to stop, after which the service is not ready, and
            the end of listening.
        drain_seconds: Time after that for requests under way.
        tls_cert: Certificate chain (PEM).
        tls_key: Its private key (PEM).
        access_log: A file for the access log, or None for standard output.
        hma: Serve HMA's API too.
        hma_state: The folder of its banks and ids, made if missing.
        hma_fetch: Let clients of it name the URL of a file, on a public address.
        hma_fetch_allow: Hosts that they may name too, at whatever address.
        hma_evidence: Let its file look-ups answer with matches by evidence too.
        keep_hashes: Days for which the hashes of uploads are stored, or None to store none.
        keep_weights: Store the weights of PDQs too, to match newer lists by evidence.
        state: The folder of those hashes, of events that wait for delivery, and of the counts of
            lists that were last accepted; without it, these are in the folders of the lists.
        accept_shrink: Take up lists at the start even if they have shrunk by more than half.
        matches_file: A file to which stored uploads that match newer lists are appended.
        webhook_url: A URL to which they are sent.
        webhook_secret: A file with the secrets that sign them.
    """

    lists: tuple[Path, ...]
    hugepages: bool = False
    policy: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    keys: Path | None = None
    allowed_hosts: tuple[str, ...] = ()
    jobs: int | None = None
    queue: int = 256
    body_bytes: int = 256 << 20
    buffered_bytes: int = 1 << 30
    connections: int = 1000
    header_seconds: float = 10.0
    body_seconds: float = 60.0
    idle_seconds: float = 75.0
    answer_seconds: float = 120.0
    poll_seconds: float = 30.0
    grace_seconds: float = 1.0
    drain_seconds: float = 30.0
    tls_cert: Path | None = None
    tls_key: Path | None = None
    access_log: Path | None = None
    hma: bool = False
    hma_state: Path | None = None
    hma_fetch: bool = False
    hma_fetch_allow: tuple[str, ...] = ()
    hma_evidence: bool = False
    keep_hashes: float | None = None
    keep_weights: bool = False
    state: Path | None = None
    accept_shrink: bool = False
    matches_file: Path | None = None
    webhook_url: str | None = None
    webhook_secret: Path | None = None

    def __post_init__(self) -> None:
        if not self.lists and not self.hma:
            raise ServiceError("a service needs at least one list: name it with --list")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ServiceError("TLS needs both a certificate and its key")
        if self.hma and self.hma_state is None:
            raise ServiceError("HMA's API needs a folder for its banks: name it with --hma-state")
        self._check_kept()
        if self.keys is None and not self.allowed_hosts and not is_loopback(self.host):
            raise ServiceError(
                f"without keys the service listens only on this machine, not on {self.host}: make"
                " a key with `screener serve-key` and name its file with --keys, or use 127.0.0.1;"
                " if everybody on the network may use it, give its name with --allowed-host"
            )

    def _check_kept(self) -> None:
        uses = (self.matches_file, self.webhook_url)
        if self.keep_hashes is None:
            if any(one is not None for one in uses) or self.keep_weights:
                raise ServiceError(
                    "a file of matches and a webhook are for stored hashes: give --keep-hashes"
                )
        elif self.state is None or uses == (None, None):
            raise ServiceError(
                "--keep-hashes needs --state, and --matches-file or --webhook-url to report to"
            )
        if (self.webhook_url is None) != (self.webhook_secret is None):
            raise ServiceError("a webhook needs both --webhook-url and --webhook-secret")


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
