#!/usr/bin/env python3
"""Prints what `run` measured beside the goals of the forecast, as ratios, and says which are missed.   (needs numpy, pandas)

usage: goals.py TRUTH_FOLDER WORK_FOLDER

Reads WORK/{git,pool}/*.csv (predictions of cases.csv there), WORK/speed.txt and WORK/m4.txt. The reference is
statsforecast's RandomWalkWithDrift on the same cases, or for the speed the rival that is named.
"""
import re, sys
from pathlib import Path
import pandas as pd
import score

REFERENCE = "statsforecast_rwd"
KEY = ["series_id", "origin", "capacity"]
# Measure: its goal as a ratio to the reference for repositories and for pools, and whether lower is better.
RATIOS = {
    "LPL": (0.80, 0.80, True),
    "medB": (0.73, 0.73, True),
    "hit15": (1.28, 1.28, False),
    "F1": (1.053, 1.043, False),
    "FA90": (0.25, None, True),
    "FA180": (0.52, None, True),
}
# Shares: from, to.
SHARES = {"cov": (0.77, 0.83), "lo": (0.07, 0.13), "hi": (0.07, 0.13)}
# Rival: how many times its answers a CPU second.
SPEEDS = {"statsforecast_auto_ets": 75, "augurs_auto_ets": 28, "anofox_auto_ets": 10}
SPEED_MIN = 5_000
OWA_MAX = 0.48

missed = []


def verdict(name, reached):
    if not reached:
        missed.append(name)
    return "reached" if reached else "MISSED"


def accuracy(truths, work):
    for kind, title in (("git", "repositories"), ("pool", "pools")):
        file = truths / f"truth_{'pool_' if kind == 'pool' else ''}public.csv.gz"
        truth = pd.read_csv(file, dtype={"series_id": str, "origin": str})
        asked = pd.read_csv(work / kind / "cases.csv", dtype={"series_id": str, "origin": str})[KEY].drop_duplicates()
        truth = truth.merge(asked, on=KEY)
        own, reference = (
            score.score(score.load(truth, work / kind / f"{name}.csv")) for name in ("headroom", REFERENCE)
        )
        print(f"\n{title}, {len(truth)} cases{'':14} reference  headroom     ratio      goal")
        for name, (git, pool, is_lower_better) in RATIOS.items():
            goal = git if kind == "git" else pool
            ratio = own[name] / reference[name] if reference[name] else float("nan")
            line = f"  {name:32} {reference[name]:9.3f} {own[name]:9.3f} {ratio:9.3f}"
            if goal is None:
                print(line)
                continue
            reached = ratio <= goal if is_lower_better else ratio >= goal
            print(f"{line} {'<=' if is_lower_better else '>='} {goal:6.3f}  {verdict(f'{title} {name}', reached)}")
        for name, (low, high) in SHARES.items():
            reached = low <= own[name] <= high
            line = f"  {name:32} {reference[name]:9.3f} {own[name]:9.3f}"
            print(f"{line} {'':9} {low:.2f}-{high:.2f}  {verdict(f'{title} {name}', reached)}")


def speeds(work):
    found = {}
    for name, speed in re.findall(r"^speed (\S+) ([0-9.]+) units per CPU second", (work / "speed.txt").read_text(), re.M):
        found.setdefault(name, []).append(float(speed))
    mean = {name: sum(values) / len(values) for name, values in found.items()}
    own = mean["headroom_score"]
    print(f"\nspeed, units per CPU second of one thread{'':13} others  headroom     ratio      goal")
    print(f"  365 daily points, all quantiles, 8 limits {'':9} {own:9.0f} {'':9} >= {SPEED_MIN:6}  {verdict('speed', own >= SPEED_MIN)}")
    for name, goal in SPEEDS.items():
        ratio = own / mean[name]
        print(f"  {name:41} {mean[name]:9.1f} {own:9.0f} {ratio:9.1f} >= {goal:6}  {verdict(f'speed against {name}', ratio >= goal)}")
    print(f"  the same process as the crates: headroom {mean['headroom_year']:.0f}")


def load(work):
    owa = float(re.search(r"m4_hourly\.csv.*OWA ([0-9.]+)", (work / "m4.txt").read_text()).group(1))
    print(f"\nload model, M4 hourly OWA {'':28} {owa:9.3f} {'':9} <= {OWA_MAX:6}  {verdict('M4 hourly OWA', owa <= OWA_MAX)}")


def main():
    truths, work = Path(sys.argv[1]), Path(sys.argv[2])
    print("Accuracy here is IN-SAMPLE: the constants were fitted on these repositories. What the model is worth on others is")
    print("printed by the trial in tests/bench/forecast/fit, which leaves whole repositories out (README.md there).")
    accuracy(truths, work)
    speeds(work)
    load(work)
    print(f"\nmissed: {', '.join(missed) if missed else 'nothing'}")


if __name__ == "__main__":
    main()
