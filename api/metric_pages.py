"""One page of metrics from many: the control plane's own, its jobs, and what each worker sent, under its name.

Workers' text is as trustworthy as the workers: what can't be read, or says a thing twice, is left out.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import structlog
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

log = structlog.get_logger()

TEXT_BYTES = 256 * 1024  #: most that a worker may send
_LINE_CHARS = 4096  # the parser takes time by the square of a line's length
_TYPES = frozenset({"counter", "gauge", "histogram", "summary", "unknown"})
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def readable(text: str) -> bool:
    """Tell whether a worker's text may be kept; whether it makes sense shows when somebody asks for it."""
    return "\0" not in text and len(text) <= TEXT_BYTES and len(text.encode()) <= TEXT_BYTES


def metrics_page(jobs_by_state: Mapping[str, int], workers: Sequence[tuple[str, str]]) -> bytes:
    """Return the page; `workers` are names and texts."""
    page = _Page()
    page.add_all(REGISTRY.collect())
    jobs = GaugeMetricFamily("gridloom_jobs", "Jobs by state, without deleted ones", labels=["state"])
    for state, number in sorted(jobs_by_state.items()):
        jobs.add_metric([state], number)
    page.add_all([jobs])
    for name, text in workers:
        try:
            page.add_all(_of_worker(name, text))
        except Exception as error:  # noqa: BLE001 - a parser that chokes on it, in whatever way, must not hide the rest
            log.warning("metrics_unreadable", worker=name, error=str(error)[:200])
    return generate_latest(page)


class _Page(Collector):
    """Families by name, each sample once."""

    def __init__(self) -> None:
        self._families: dict[str, Metric] = {}
        self._owners: dict[str, str] = {}  # a sample's name belongs to one family
        self._seen: set[tuple[str, frozenset[tuple[str, str]]]] = set()

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        yield from self._families.values()

    def add_all(self, families: Iterable[Metric]) -> None:
        """Add what is new; a family that is known under another type is left out."""
        for family in families:
            for sample in family.samples:
                self._add(family, sample)

    def _add(self, family: Metric, sample: Sample) -> None:
        key = (sample.name, frozenset(sample.labels.items()))
        if key in self._seen or self._owners.get(sample.name, family.name) != family.name:
            return
        known = self._families.get(family.name)
        if known is None:
            known = self._families[family.name] = Metric(family.name, family.documentation, family.type)
        if known.type == family.type:
            self._seen.add(key)
            self._owners[sample.name] = family.name
            known.samples.append(sample)


def _of_worker(worker: str, text: str) -> list[Metric]:
    if any(len(line) > _LINE_CHARS for line in text.splitlines()):
        raise ValueError(f"a line has more than {_LINE_CHARS} characters")
    families = list(text_string_to_metric_families(text))
    for family in families:
        family.samples = [
            Sample(it.name, it.labels | {"worker": worker}, float(it.value))
            for it in family.samples
            if family.type in _TYPES and _NAME.fullmatch(it.name) and all(map(_LABEL.fullmatch, it.labels))
        ]
    return families
