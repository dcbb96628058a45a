"""Figures of a series of measurements: median, percentiles, and how they are printed."""

import math
import statistics


def percentile(values, percent):
    """The smallest value that `percent` of all do not pass (nearest rank); NaN of nothing."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def spread(seconds):
    """`min / median / max` in milliseconds."""
    if not seconds:
        return "nothing was measured"
    figures = (min(seconds), statistics.median(seconds), max(seconds))
    return " / ".join(f"{figure * 1000:.0f} ms" for figure in figures)


def latencies(seconds):
    """A line about the durations of requests."""
    p50, p99, most = percentile(seconds, 50), percentile(seconds, 99), max(seconds, default=math.nan)
    return f"{len(seconds)} requests, p50 {p50 * 1000:.2f} ms, p99 {p99 * 1000:.2f} ms, max {most * 1000:.1f} ms"
