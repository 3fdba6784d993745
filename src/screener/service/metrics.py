"""The metrics of a service, in the format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from screener.screening.result import Match, Reason, Result, Verdict
from screener.screening.screener import Screener

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Counts of a service, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "screener_requests", "Requests.", ("route", "method", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "screener_request_seconds", "Seconds from a request's header to its answer.",
            ("route",), buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.verdicts = Counter(
            "screener_verdicts", "Results by verdict and reason.", ("verdict", "reason"),
            registry=self.registry,
        )  # fmt: skip
        self.refusals = Counter(
            "screener_refusals", "Requests that were not answered with a Result, by reason.",
            ("code",), registry=self.registry,
        )  # fmt: skip
        self.swaps = Counter(
            "screener_list_swaps", "Moves to newer generations.", registry=self.registry
        )
        self.shadow = Counter(
            "screener_shadow_matches", "Results that would match if the list were enforced.",
            ("list",), registry=self.registry,
        )  # fmt: skip
        self.policy_reloads = Counter(
            "screener_policy_reloads", "Changes of the policy.", registry=self.registry
        )
        self.policy_broken = Gauge(
            "screener_policy_broken", "1 if the policy file cannot be used, so the old one counts.",
            registry=self.registry,
        )  # fmt: skip
        self.failed_refreshes = Counter(
            "screener_list_refresh_failures", "Failed looks for newer generations.",
            registry=self.registry,
        )  # fmt: skip
        self.under_way = Gauge(
            "screener_requests_under_way", "Requests without an answer.", registry=self.registry
        )
        self.ready = Gauge(
            "screener_ready", "1 if the service is ready, as /v1/health/ready.",
            registry=self.registry,
        )  # fmt: skip
        self.buffered = Gauge(
            "screener_buffered_bytes", "Bytes of bodies in memory.", registry=self.registry
        )
        self.requests_under_way = 0
        self.under_way.set_function(lambda: self.requests_under_way)
        # Finding a child by its labels takes longer than counting.
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._verdicts: dict[tuple[Verdict, Reason | None], Counter] = {}
        # Called with a Result and what a list in shadow would have matched.
        self.on_shadow: Callable[[Result, list[Match]], None] = lambda _result, _hits: None

    def watch_lists(self, find_screener: Callable[[], Screener]) -> None:
        """Add gauges of the lists that the service has at the time of a scrape."""
        self.registry.register(_Lists(find_screener))

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        key = (route, method, status)
        children = self._children.get(key)
        if children is None:
            counted = self.requests.labels(route, method, str(status))
            children = self._children[key] = counted, self.seconds.labels(route)
        children[0].inc()
        children[1].observe(seconds)

    def count_refusal(self, code: str) -> None:
        """Count a request that was answered with an error."""
        self.refusals.labels(code).inc()

    def count_result(self, result: Result) -> None:
        """Count a Result."""
        key = (result.verdict, result.reason)
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self.verdicts.labels(str(result.verdict), str(result.reason or ""))
            self._verdicts[key] = verdict
        verdict.inc()
        if not result.other_hits:
            return
        shadowed: dict[str, list[Match]] = {}
        for hit in result.other_hits:
            if hit.shadow and hit.would_match:
                shadowed.setdefault(hit.list, []).append(hit)
        for name, hits in shadowed.items():
            self.shadow.labels(name).inc()
            self.on_shadow(result, hits)

    def render(self) -> bytes:
        """Return all metrics as text."""
        return generate_latest(self.registry)


class _Lists(Collector):
    def __init__(self, find_screener: Callable[[], Screener]) -> None:
        self._find_screener = find_screener

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        generation = GaugeMetricFamily(
            "screener_list_generation", "The generation in use.", labels=["list"]
        )
        age = GaugeMetricFamily(
            "screener_list_age_seconds", "Seconds since an import.", labels=["list"]
        )
        values = GaugeMetricFamily(
            "screener_list_values", "Distinct values that are compared.", labels=["list", "kind"]
        )
        screener = self._find_screener()
        for hash_list in screener.lists:
            generation.add_metric([hash_list.name], hash_list.generation)
            if hash_list.name not in screener.ageless:
                age.add_metric([hash_list.name], hash_list.age_s())
            for kind, count in hash_list.kinds.items():
                values.add_metric([hash_list.name, kind], count)
        yield from (generation, age, values)
