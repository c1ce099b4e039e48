"""What a probe returns: parts that add up, so micro-batches, mini-batches and ranks do.

A mean of means is not the mean. So a measurement stays a sum and a count (or extremes, fixed
histograms, the largest values) until the step is over; then it is reduced once across ranks and
read. A part that has counted nothing has no value and leaves its name out of the record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Self

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from collapse_lab.probes.pareto import shape
from collapse_lab.signals import HISTOGRAMS


@dataclass(frozen=True, eq=False)
class Part:
    """Fields are tensors of any shape; parts of one name are joined field by field."""

    def joined(self, others: Sequence[Self]) -> Self:
        """This and the others as one part."""
        if not others:
            return self
        fields = {name: [a, *(getattr(o, name) for o in others)] for name, a in self.tensors()}
        return replace(self, **{name: self.join(name, many) for name, many in fields.items()})

    def join(self, field: str, many: list[Tensor]) -> Tensor:
        """The field of all of them together."""
        return torch.stack(many).sum(0)

    def tensors(self) -> list[tuple[str, Tensor]]:
        return list(self.__dict__.items())

    def value(self) -> float | None:
        """The number that is recorded, None when nothing was counted; only after `on_host`."""
        raise NotImplementedError

    def values(self, name: str) -> dict[str, float]:
        value = self.value()
        return {} if value is None else {name: value}


@dataclass(frozen=True, eq=False)
class Mean(Part):
    """total / count."""

    total: Tensor
    count: Tensor

    @classmethod
    def of(cls, values_N: Tensor) -> Mean:
        """Of numbers, or the share of True."""
        many = values_N.dtype == torch.bool  # counting is several times faster than summing
        total = values_N.count_nonzero() if many else values_N.sum(dtype=torch.float64)
        return cls(total.double(), _count(values_N))

    @classmethod
    def ratio(cls, total: float | Tensor, count: float | Tensor) -> Mean:
        return cls(*(torch.as_tensor(value, dtype=torch.float64) for value in (total, count)))

    def value(self) -> float | None:
        count = float(self.count)
        return float(self.total) / count if count else None


@dataclass(frozen=True, eq=False)
class Largest(Part):
    """The largest value; NaN when there was one."""

    peak: Tensor

    @classmethod
    def of(cls, values_N: Tensor) -> Largest:
        return cls(values_N.amax().double())

    def join(self, field: str, many: list[Tensor]) -> Tensor:
        return torch.stack(many).amax(0)

    def value(self) -> float:
        return float(self.peak)


@dataclass(frozen=True, eq=False)
class Smallest(Largest):
    """The smallest value; NaN when there was one."""

    @classmethod
    def of(cls, values_N: Tensor) -> Smallest:
        return cls((-values_N).amax().double())

    def value(self) -> float:
        return -float(self.peak)


@dataclass(frozen=True, eq=False)
class Spread(Part):
    """Unbiased standard deviation."""

    count: Tensor
    total: Tensor
    square: Tensor

    @classmethod
    def of(cls, values_N: Tensor) -> Spread:
        values_N = values_N.double()
        return cls(_count(values_N), values_N.sum(), values_N.square().sum())

    def value(self) -> float | None:
        count, total, square = float(self.count), float(self.total), float(self.square)
        if count < 2:
            return None
        variance = (square - total * total / count) / (count - 1)
        return math.nan if math.isnan(variance) else math.sqrt(max(variance, 0.0))


@dataclass(frozen=True, eq=False)
class Covariance(Part):
    """Population covariance of two columns."""

    count: Tensor
    x: Tensor
    y: Tensor
    xy: Tensor

    @classmethod
    def of(cls, x_N: Tensor, y_N: Tensor) -> Covariance:
        x_N, y_N = x_N.double(), y_N.double()
        return cls(_count(x_N), x_N.sum(), y_N.sum(), (x_N * y_N).sum())

    def value(self) -> float | None:
        if self.count == 0:
            return None
        return float(self.xy / self.count - self.x * self.y / self.count.square())


@dataclass(frozen=True, eq=False)
class Correlation(Covariance):
    """Pearson correlation of two columns; none where one of them is constant."""

    xx: Tensor
    yy: Tensor

    @classmethod
    def of(cls, x_N: Tensor, y_N: Tensor) -> Correlation:
        x_N, y_N = x_N.double(), y_N.double()
        products = ((x_N * y_N).sum(), x_N.square().sum(), y_N.square().sum())
        return cls(_count(x_N), x_N.sum(), y_N.sum(), *products)

    def value(self) -> float | None:
        n = self.count
        variances = (n * self.xx - self.x.square()) * (n * self.yy - self.y.square())
        if variances <= 0:
            return None
        return float((n * self.xy - self.x * self.y) / variances.sqrt())


@dataclass(frozen=True, eq=False)
class EffectiveSize(Part):
    """Kish's effective sample size as a share, (sum w)^2 / (n sum w^2), from log weights.

    Sums are kept as logs: the weight of a whole sequence may be beyond floating point.
    """

    log_total: Tensor
    log_square: Tensor
    count: Tensor

    @classmethod
    def of(cls, log_weight_N: Tensor) -> EffectiveSize:
        log_weight_N = log_weight_N.double()
        return cls(log_weight_N.logsumexp(0), (2 * log_weight_N).logsumexp(0), _count(log_weight_N))

    def join(self, field: str, many: list[Tensor]) -> Tensor:
        stacked = torch.stack(many)
        return stacked.sum(0) if field == "count" else stacked.logsumexp(0)

    def value(self) -> float:
        return float((2 * self.log_total - self.log_square - self.count.log()).exp())


@dataclass(frozen=True, eq=False)
class Tail(Part):
    """Pareto k-hat of the upper tail, from the largest log weights; none for fewer than 25.

    The largest `CAPACITY` of a union are among the largest of its parts, so the fit does not
    depend on how the weights were split.
    """

    CAPACITY = 1024

    top: Tensor
    count: Tensor

    @classmethod
    def of(cls, log_weight_N: Tensor) -> Tail:
        top = log_weight_N.double().topk(min(cls.CAPACITY, len(log_weight_N)), sorted=False).values
        return cls(top, _count(log_weight_N))

    def join(self, field: str, many: list[Tensor]) -> Tensor:
        if field == "count":
            return torch.stack(many).sum(0)
        union = torch.cat(many)
        return union.topk(min(self.CAPACITY, len(union)), sorted=False).values

    def value(self) -> float | None:
        return shape(self.top.numpy(), int(self.count))


@dataclass(frozen=True, eq=False)
class Histogram(Part):
    """Counts between the fixed edges that `signals.HISTOGRAMS` has for this name.

    The first and last bin are open. Its values are the quantiles listed there, exact to a bin.
    """

    counts: Tensor

    @classmethod
    def of(cls, name: str, values_N: Tensor) -> Histogram:
        edges = _edges(name, values_N.device)
        bins_N = torch.bucketize(values_N.double(), edges)
        return cls(torch.bincount(bins_N, minlength=len(edges) + 1).double())

    def values(self, name: str) -> dict[str, float]:
        edges = HISTOGRAMS[name].edges
        if self.counts.sum() == 0:
            return {}
        return {
            f"{name}_q{round(100 * level):02d}": _quantile(self.counts.tolist(), edges, level)
            for level in HISTOGRAMS[name].quantiles
        }


@dataclass(frozen=True, eq=False)
class LargestMean(Part):
    """The largest of K means, each of which adds up by itself: the worst mini-batch of a step."""

    totals_K: Tensor
    counts_K: Tensor

    @classmethod
    def of(cls, values_N: Tensor, index_N: Tensor, means: int) -> LargestMean:
        """Of the mean of the values at each index below `means`."""
        totals_K = values_N.new_zeros(means).index_add(0, index_N, values_N)
        return cls(totals_K, torch.bincount(index_N, minlength=means).double())

    def join(self, field: str, many: list[Tensor]) -> Tensor:
        """A rank that had no rows in its last mini-batches has fewer of them."""
        return pad_sequence(many, batch_first=True).sum(0)

    def value(self) -> float | None:
        some_K = self.counts_K > 0
        if not some_K.any():
            return None
        return float((self.totals_K[some_K] / self.counts_K[some_K]).amax())


Parts = dict[str, Part]
"""Signal name -> its part."""


def _count(values_N: Tensor) -> Tensor:
    return _constant(values_N.numel(), values_N.device)


@lru_cache(maxsize=64)
def _constant(value: float, device: torch.device) -> Tensor:
    """Shared by all parts that count the same; parts are never changed in place."""
    return torch.tensor(value, dtype=torch.float64, device=device)


@cache
def _edges(name: str, device: torch.device) -> Tensor:
    return torch.tensor(HISTOGRAMS[name].edges, dtype=torch.float64, device=device)


def _quantile(counts: list[float], edges: tuple[float, ...], level: float) -> float:
    """Where the counts reach the level, linear within a bin; an open bin gives its edge."""
    wanted = level * sum(counts)
    below = 0.0
    for number, count in enumerate(counts):
        if count and below + count >= wanted:
            if number == 0:
                return edges[0]
            if number == len(edges):
                return edges[-1]
            low, high = edges[number - 1], edges[number]
            return low + (high - low) * (wanted - below) / count
        below += count
    return edges[-1]
