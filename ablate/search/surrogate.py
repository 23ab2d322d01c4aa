"""A Gaussian process over settings and lengths that expects effects to add up.

Its covariance is a sum: for each factor a kernel of its own (that of Matern with nu 5/2 for ranges, equality for
choices), one over all factors at once for what does not add up, and one over the length. All but the last are
multiplied by a kernel over the length, so that an effect may fade, grow or turn round with it. From few trials of many
factors, sums of one-dimensional functions are learnt far sooner than a function of all (Duvenaud et al. 2011, *Additive
Gaussian processes*; Kandasamy et al. 2015, *High dimensional Bayesian optimisation and bandits via additive models*).

Variances, scales and the noise are those of the highest posterior density, under log-normal priors: by likelihood alone
few trials let a process believe in anything.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RANGE_SCALE = 0.5
"""Length scale along a range, of which the ends are 0 and 1."""
MEAN_VARIANCE = 4.0
"""Prior variance of the mean, of values with variance 1."""
JITTER = 1e-6
"""Least variance of the noise, of values with variance 1: keeps the covariance invertible."""
DRAWN_JITTER = 1e-5
"""What is added to a posterior covariance, which rounding may leave slightly below none."""
LENGTH_SCALE = 0.7
"""Along the length, of what a length is worth whatever the setting; 1 is a factor of 20."""
STEPS = 60
"""Most iterations of a fit."""


@dataclass(frozen=True)
class Points:
    """Settings at lengths.

    Args:
        values: ``[N, F]``: of a range from 0 to 1, of choices the number of the choice.
        present: ``[N, F]``: whether the factor's condition holds.
        at: ``[N]``: the length, 1 the full one, less for shorter ones.
    """

    values: Floats
    present: NDArray[np.bool_]
    at: Floats

    def __len__(self) -> int:
        return len(self.at)

    def __add__(self, other: "Points") -> "Points":
        """Both, one after the other."""
        return Points(
            np.concatenate([self.values, other.values]),
            np.concatenate([self.present, other.present]),
            np.concatenate([self.at, other.at]),
        )


@dataclass(frozen=True)
class _Distances:
    """What covariances between two sets of points are made of, whatever the parameters."""

    own: Floats
    """``[F, N, M]``: each factor's own kernel."""
    square: Floats
    """``[N, M]``: over all factors, squared; a range whose condition fails is at its middle, and 1 beside it."""
    length: Floats
    """``[N, M]``: difference of lengths."""


@dataclass(frozen=True)
class Process:
    """The process, given values.

    Args:
        is_choice: ``[F]``: whether a factor has choices.
        parameters: Logarithms: F variances of the factors, those of all at once and of the length, the scales of all at
            once and of effects along the length, and the variance of the noise.
        points: Where values are known.
        values: ``[N]``: the values.
    """

    is_choice: NDArray[np.bool_]
    parameters: Floats
    points: Points
    values: Floats

    @classmethod
    def fitted(cls, is_choice: Sequence[bool], points: Points, values: Floats) -> "Process":
        """The process with the parameters of the highest posterior density.

        Args:
            is_choice: See the class.
            points: Where values are known.
            values: Values of mean about 0 and variance about 1.
        """
        from scipy.optimize import minimize

        centre, _ = _priors(len(is_choice))
        process = cls(np.asarray(is_choice, dtype=bool), centre, points, np.asarray(values, dtype=np.float64))
        distances = process._distances(points, points)
        found = minimize(
            lambda parameters: process._loss(parameters, distances),
            centre,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": STEPS},
        )
        return replace(process, parameters=found.x)

    def believing(self, points: Points) -> "Process":
        """The same process that takes its own mean at further points for their value (kriging believer)."""
        means, _ = self.at(points)
        return replace(self, points=self.points + points, values=np.concatenate([self.values, means]))

    def at(self, points: Points) -> tuple[Floats, Floats]:
        """Means and standard deviations of the function, without noise, ``[M]`` each."""
        across, half = self._across(points)
        variances = np.maximum(self._prior(points) - np.einsum("nm,nm->m", half, half), 1e-12)
        return across.T @ self._weights, np.sqrt(variances)

    def effects(self, grids: Sequence[Floats], rng: np.random.Generator, count: int) -> list[Floats]:
        """Draws of what the values of each factor are worth at full length, as far as effects add up.

        Args:
            grids: For each factor some of its values, ``[G]``.
            rng: Draws.
            count: How many draws.

        Returns:
            For each factor ``[count, G]``.
        """
        from scipy.linalg import block_diag, solve_triangular

        variances, factors = np.exp(self.parameters), len(self.is_choice)
        along = np.exp(-0.5 * ((1.0 - self.points.at) / variances[factors + 3]) ** 2)
        across, prior = [], []
        for j, grid in enumerate(grids):
            known = self.points.values[:, None, j]
            own = (
                [known == grid, grid[:, None] == grid]
                if self.is_choice[j]
                else [_matern(np.abs(a - grid) / RANGE_SCALE)[0] for a in (known, grid[:, None])]
            )
            across.append(variances[j] * own[0] * (along * self.points.present[:, j])[:, None])
            prior.append(variances[j] * own[1])
        half = solve_triangular(self._root, np.concatenate(across, axis=1), lower=True)
        means = np.concatenate(across, axis=1).T @ self._weights
        covariance = block_diag(*prior) - half.T @ half
        root = np.linalg.cholesky(covariance + DRAWN_JITTER * np.eye(len(means)))
        drawn = means + rng.normal(size=(count, len(means))) @ root.T
        return np.split(drawn, np.cumsum([len(grid) for grid in grids])[:-1], axis=1)

    def _across(self, points: Points) -> tuple[Floats, Floats]:
        """Covariances with what is known, and these before the root of its own."""
        from scipy.linalg import solve_triangular

        across = self._covariance(self._distances(self.points, points), self.parameters)
        return across, solve_triangular(self._root, across, lower=True)

    def _prior(self, points: Points) -> Floats:
        variances = np.exp(self.parameters)
        factors = len(self.is_choice)
        shared = float(variances[factors] + variances[factors + 1]) + MEAN_VARIANCE
        return np.asarray(points.present @ variances[:factors] + shared)

    @cached_property
    def _root(self) -> Floats:
        covariance = self._covariance(self._distances(self.points, self.points), self.parameters)
        noise = math.exp(self.parameters[-1]) + JITTER
        return np.asarray(np.linalg.cholesky(covariance + noise * np.eye(len(self.points))))

    @cached_property
    def _weights(self) -> Floats:
        from scipy.linalg import cho_solve

        return np.asarray(cho_solve((self._root, True), self.values), dtype=np.float64)

    def _distances(self, a: Points, b: Points) -> _Distances:
        factors = len(self.is_choice)
        own, square = np.empty((factors, len(a), len(b))), np.zeros((len(a), len(b)))
        for j in range(factors):
            both = a.present[:, None, j] & b.present[None, :, j]
            apart = np.abs(a.values[:, None, j] - b.values[None, :, j])
            if self.is_choice[j]:
                own[j] = both & (apart == 0)
                square += both & (apart > 0)
            else:
                own[j] = np.where(both, _matern(apart / RANGE_SCALE)[0], 0.0)
                inner = [np.where(p.present[:, j], p.values[:, j], 0.5) for p in (a, b)]
                square += ((inner[0][:, None] - inner[1][None, :]) / RANGE_SCALE) ** 2
            square += a.present[:, None, j] != b.present[None, :, j]
        return _Distances(own, square, a.at[:, None] - b.at[None, :])

    def _covariance(self, distances: _Distances, parameters: Floats) -> Floats:
        factors = len(self.is_choice)
        variances = np.exp(parameters)
        along = np.exp(-0.5 * (distances.length / variances[factors + 3]) ** 2)
        together = _matern(np.sqrt(distances.square) / variances[factors + 2])[0]
        effects = np.tensordot(variances[:factors], distances.own, axes=1) + variances[factors] * together
        return np.asarray(along * effects + variances[factors + 1] * _over_length(distances.length) + MEAN_VARIANCE)

    def _loss(self, parameters: Floats, distances: _Distances) -> tuple[float, Floats]:
        """The negative log posterior density but for a constant, and its gradient."""
        from scipy.linalg import cho_solve

        factors, n = len(self.is_choice), len(self.points)
        centre, spread = _priors(factors)
        variances = np.exp(parameters)
        along = np.exp(-0.5 * (distances.length / variances[factors + 3]) ** 2)
        scaled = np.sqrt(distances.square) / variances[factors + 2]
        together, slope = _matern(scaled)
        effects = np.tensordot(variances[:factors], distances.own, axes=1) + variances[factors] * together
        covariance = along * effects + variances[factors + 1] * _over_length(distances.length) + MEAN_VARIANCE
        try:
            root = np.linalg.cholesky(covariance + (variances[-1] + JITTER) * np.eye(n))
        except np.linalg.LinAlgError:
            return 1e25, np.zeros_like(parameters)
        weights = cho_solve((root, True), self.values)
        off = (parameters - centre) / spread
        loss = 0.5 * self.values @ weights + np.log(np.diag(root)).sum() + 0.5 * off @ off
        inner = 0.5 * (cho_solve((root, True), np.eye(n)) - np.outer(weights, weights))
        gradient = np.empty_like(parameters)
        gradient[:factors] = variances[:factors] * np.tensordot(distances.own, inner * along, axes=2)
        gradient[factors] = variances[factors] * np.sum(inner * along * together)
        gradient[factors + 1] = variances[factors + 1] * np.sum(inner * _over_length(distances.length))
        gradient[factors + 2] = variances[factors] * np.sum(inner * along * -slope * scaled)
        gradient[factors + 3] = np.sum(inner * along * effects * (distances.length / variances[factors + 3]) ** 2)
        gradient[factors + 4] = variances[-1] * np.trace(inner)
        return float(loss), gradient + off / spread


def _matern(distance: Floats) -> tuple[Floats, Floats]:
    """Matern's kernel with nu 5/2, and its derivative."""
    r = math.sqrt(5.0) * distance
    decay = np.exp(-r)
    return (1 + r + r * r / 3) * decay, -math.sqrt(5.0) * r * (1 + r) / 3 * decay


def _over_length(difference: Floats) -> Floats:
    """The kernel of what a length is worth, whatever the setting."""
    return np.asarray(np.exp(-0.5 * (difference / LENGTH_SCALE) ** 2))


def _priors(factors: int) -> tuple[Floats, Floats]:
    """Centres and standard deviations of the parameters, logarithms, of values with variance 1.

    All effects together explain more than there is, so that a few of them may explain nearly all; what does not add up
    explains 0.3, over twice a range's scale; an effect lasts along a factor of 20 in length; noise is 0.05. They are
    weak: one standard deviation is a factor of 2 to 4.5.
    """
    own = math.log(1.5 / factors)
    centre = [*[own] * factors, math.log(0.3), 0.0, math.log(2.0), 0.0, math.log(0.05)]
    spread = [*[1.5] * factors, 1.0, 1.0, 0.7, 0.5, 1.0]
    return np.array(centre), np.array(spread)
