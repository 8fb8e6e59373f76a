#!/usr/bin/env python3
"""Answers the capacity cases with what others use today, in the scorer's form.   (needs numpy, pandas, statsforecast)

usage: peers.py SERIES.csv[.gz] CASES.csv[.gz] OUT_DIR

drift_365               the straight line of the last year from the last value (a point: the same date three times)
predict_linear_90       Prometheus: least squares over 90 days, from the line's own end
statsforecast_rwd       RandomWalkWithDrift on 365 days; a quantile's date is the first day its marginal crosses the capacity
statsforecast_auto_ets  AutoETS on 365 days, not seasonal, the same way
Prints units per CPU second of each, the model's call alone, after one call that is not counted (numba compiles in it).
"""
import sys, time
from pathlib import Path
import numpy as np, pandas as pd

HORIZON = 365


def daily(changes, origin):
    known = changes[changes.index <= origin]
    days = pd.date_range(known.index[0], origin, freq="D")
    return known.reindex(days, method="ffill").to_numpy(float)


def first_crossing(path, capacity):
    hit = np.nonzero(path >= capacity)[0]
    return float(hit[0] + 1) if len(hit) else np.inf


def drift_365(y):
    x = y[-366:]
    slope = (x[-1] - x[0]) / max(1, len(x) - 1)
    path = x[-1] + slope * np.arange(1, HORIZON + 1)
    return path, path, path


def predict_linear_90(y):
    x = y[-90:]
    if len(x) < 2:
        return (np.full(HORIZON, x[-1]),) * 3
    slope, level = np.polyfit(np.arange(len(x)) - (len(x) - 1), x, 1)
    path = level + slope * np.arange(1, HORIZON + 1)
    return path, path, path


def statsforecast_rwd(y):
    from statsforecast.models import RandomWalkWithDrift

    return edges(RandomWalkWithDrift().forecast(y=y[-365:], h=HORIZON, level=[80]))


def statsforecast_auto_ets(y):
    from statsforecast.models import AutoETS

    return edges(AutoETS(season_length=1).forecast(y=y[-365:], h=HORIZON, level=[80]))


def edges(answer):
    # The early date is that of the upper edge.
    return answer["hi-80"], answer["mean"], answer["lo-80"]


def main():
    series = pd.read_csv(sys.argv[1], dtype={"series_id": str}, parse_dates=["date"])
    cases = pd.read_csv(sys.argv[2], dtype=str)
    changes = {name: rows.set_index("date").used_bytes for name, rows in series.groupby("series_id")}
    units = [
        (name, origin, daily(changes[name], pd.Timestamp(origin)), asked.capacity)
        for (name, origin), asked in cases.groupby(["series_id", "origin"])
    ]
    for model in (drift_365, predict_linear_90, statsforecast_rwd, statsforecast_auto_ets):
        model(units[0][2])
        rows, cpu, without = [], 0.0, 0
        for name, origin, y, capacities in units:
            start = time.process_time()
            try:
                paths = model(y)
            except Exception as error:  # counted and shown; the scorer counts its cases as missing
                without += 1
                print(f"{model.__name__}: {name} at {origin}: {error}", file=sys.stderr)
                continue
            finally:
                cpu += time.process_time() - start
            for capacity in capacities:
                dates = [
                    (pd.Timestamp(origin) + pd.Timedelta(days=days)).date().isoformat() if days <= HORIZON else ""
                    for days in (first_crossing(path, float(capacity)) for path in paths)
                ]
                rows.append([name, origin, capacity, *dates])
        out = pd.DataFrame(rows, columns=["series_id", "origin", "capacity", "p10_date", "p50_date", "p90_date"])
        out.to_csv(Path(sys.argv[3]) / f"{model.__name__}.csv", index=False)
        speed = len(units) / max(cpu, 1e-9)
        print(f"speed {model.__name__} {speed:.1f} units per CPU second, {without} of {len(units)} units without an answer")


if __name__ == "__main__":
    main()
