# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes the figures of a report again from its predictions, with pandas and scikit-learn alone.

    figures.py run|train|study|evaluate FOLDER

prints how many figures agree within 1e-9, and ends with 1 where one does not.
"""

import json
import math
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from sklearn import metrics as m

TOLERANCE = 1e-9
agreed, wrong = 0, []


def check(what, ours, theirs):
    global agreed
    ours = math.nan if ours is None else float(ours)
    theirs = math.nan if theirs is None else float(theirs)
    same = ours == theirs or (math.isnan(ours) and math.isnan(theirs))
    if same or abs(ours - theirs) <= TOLERANCE * max(1.0, abs(theirs)):
        agreed += 1
    else:
        wrong.append(f"{what}: {ours!r} in the report, {theirs!r} made again")


def classes_of(rows, classes=None):
    """Classes of the rows' task in their order: those with a probability."""
    named = [c.removeprefix("prob_") for c in rows.columns if c.startswith("prob_")]
    return classes or [c for c in named if rows[f"prob_{c}"].notna().all()]


def expected_calibration_error(truth, score, bins=15):
    # As calibration_curve(strategy="quantile"): a last bit decides where a row on an edge falls.
    edges = np.percentile(score, np.linspace(0, 1, bins + 1) * 100)
    at = np.searchsorted(edges[1:-1], score)
    gaps = [(at == b).sum() * abs(score[at == b].mean() - truth[at == b].mean()) for b in set(at)]
    return sum(gaps) / len(score)


def figures(rows, classes=None):
    """Every metric of some rows by its name in the reports."""
    classes = classes_of(rows, classes)
    truth, called = rows["label"].to_numpy(), rows["called"].to_numpy()
    probabilities = rows[[f"prob_{c}" for c in classes]].to_numpy()
    found = {
        "balanced accuracy": m.balanced_accuracy_score(truth, called),
        "accuracy": m.accuracy_score(truth, called),
        "macro F1": m.f1_score(truth, called, average="macro", zero_division=0),
        "Cohen's kappa": m.cohen_kappa_score(truth, called),
        "log loss": -np.log(np.clip(
            probabilities[np.arange(len(rows)), [classes.index(t) for t in truth]],
            np.finfo(float).eps, 1 - np.finfo(float).eps)).mean(),
    }
    if len(classes) == 2:
        positive, score = classes[-1], probabilities[:, 1]
        y, c = (truth == positive).astype(int), (called == positive).astype(int)
        both = 0 < y.sum() < len(y)
        found |= {
            "F1": m.f1_score(y, c, zero_division=0),
            "precision": m.precision_score(y, c, zero_division=0),
            "recall": m.recall_score(y, c, zero_division=0),
            "AUROC": m.roc_auc_score(y, score) if both else math.nan,
            "AUPRC": m.average_precision_score(y, score) if y.any() else math.nan,
            "MCC": m.matthews_corrcoef(y, c),
            "Brier score": ((score - y) ** 2).mean(),
            "ECE": expected_calibration_error(y, score),
        }
    return found


def check_metrics(what, ours, rows, classes=None):
    theirs = figures(rows, classes)
    for metric in ours:
        check(f"{what} {metric['name']}", metric["estimate"], theirs[metric["name"]])


def corrected(values, ratio, level):
    """Nadeau and Bengio (2003): mean, interval, p."""
    values = np.asarray([v for v in values if np.isfinite(v)])
    if len(values) < 2:
        return (values[0] if len(values) else math.nan), (math.nan, math.nan), math.nan
    mean, spread = values.mean(), math.sqrt((1 / len(values) + ratio) * values.var(ddof=1))
    if spread == 0:
        return mean, (mean, mean), 1.0 if mean == 0 else 0.0
    t = stats.t(len(values) - 1)
    half = t.ppf((1 + level) / 2) * spread
    return mean, (mean - half, mean + half), 2 * t.sf(abs(mean / spread))


def holm(p):
    order = sorted((i for i, x in enumerate(p) if not math.isnan(x)), key=lambda i: p[i])
    adjusted, largest = [math.nan] * len(p), 0.0
    for rank, i in enumerate(order):
        largest = min(1.0, max(largest, (len(order) - rank) * p[i]))
        adjusted[i] = largest
    return adjusted


def holm_shares(p, error):
    """What Holm's method divides the error of each test by."""
    order = sorted((i for i, x in enumerate(p) if not math.isnan(x)), key=lambda i: p[i])
    shares, stopped = [1.0] * len(p), None
    for rank, i in enumerate(order):
        own = float(len(order) - rank)
        if stopped is None and own * p[i] >= error:
            stopped = own
        shares[i] = stopped if stopped is not None else own
    return shares


def ratio_of(folds):
    """Held-out groups over training groups, the mean over folds."""
    count = folds.groupby(["repeat", "fold", "side"])["group"].nunique().unstack("side")
    return (count["held_out"] / count["train"]).mean()


def run(folder):
    report = json.loads((folder / "report.json").read_text())
    predictions = pd.read_parquet(folder / "predictions.parquet")
    test = predictions[predictions.part == "test"]
    rows_of = lambda arm: test[
        (test.backbone == arm["backbone"])
        & (test.arm == ("augmented" if arm["augmented"] else "plain"))
    ]
    classes = [c["name"] for c in report["data"]["classes"]]
    for arm in report["arms"]:
        rows, what = rows_of(arm), f"{arm['backbone']} {arm['augmented']}"
        check(f"{what} rows", arm["n_test"], len(rows))
        check_metrics(what, arm["metrics"], rows, classes)
        confusion = m.confusion_matrix(rows.label, rows.called, labels=classes)
        check(f"{what} confusion", np.abs(np.array(arm["confusion"]) - confusion).sum(), 0)
        check(f"{what} threshold", arm["threshold"], rows.threshold.iloc[0])
    for gain in report["gains"]:
        name = gain["absolute"]["name"]
        before, after = (figures(rows_of(report["arms"][gain[k]]))[name] for k in ("from", "to"))
        check(gain["change"], gain["absolute"]["estimate"], after - before)
        check(gain["change"], gain["relative"], (after - before) / before)
    for row in report.get("centres", []):
        rows = rows_of(report["arms"][row["arm"]])
        check_metrics(row["centre"], row["metrics"], rows[rows.centre == row["centre"]], classes)
    folds = pd.read_parquet(folder / "folds.parquet")
    split = folds[folds.part == "test"].groupby("side")["tile_id"].nunique()
    for side in report["data"]["splits"]:
        check("split", side["n_tiles"], split["train" if side["name"] == "train" else "held_out"])


def train(folder):
    predictions = pd.read_parquet(folder / "heads" / "predictions.parquet")
    for (task, backbone, arm), rows in predictions.groupby(["task", "backbone", "arm"]):
        file = (folder / "heads" / f"{task}-{arm}-{backbone}.safetensors").read_bytes()
        header = json.loads(file[8 : 8 + int.from_bytes(file[:8], "little")])
        saved = json.loads(header["__metadata__"]["eosin-head"])["head"]
        for name, ours in saved["metrics"].items():
            part = "test" if name.startswith("test ") else "out of fold"
            of_part = rows[rows.part == part.replace(" ", "-")]
            theirs = figures(of_part, saved["classes"])[name.removeprefix(part + " ")]
            check(f"{task} {arm} {name}", ours, theirs)
    folds = pd.read_parquet(folder / "heads" / "folds.parquet")
    # Every fold's sides share no group, and every row is held out once a round.
    for (part, task), rows in folds[folds.part == "out-of-fold"].groupby(["part", "task"]):
        for _, fold in rows.groupby(["repeat", "fold"]):
            sides = fold.groupby("side")["group"].unique()
            check("torn groups", len(set(sides["train"]) & set(sides["held_out"])), 0)
        held_out = rows[rows.side == "held_out"].groupby(["repeat", "tile_id"]).size()
        check(f"{task} held out once", (held_out == 1).all(), True)


def study(folder):
    report = json.loads((folder / "study.json").read_text())
    predictions = pd.read_parquet(folder / "study" / "predictions.parquet")
    folds = pd.read_parquet(folder / "study" / "folds.parquet")
    classes, level, main = report["design"]["classes"], report["level"], report["metric"]
    ratio = ratio_of(folds[folds.part == "cross-validation"])

    def by_fold(part, backbone, arm):
        rows = predictions[(predictions.part == part) & (predictions.backbone == backbone)]
        rows = rows[rows.arm == arm].groupby(["repeat", "fold"])
        return pd.DataFrame({key: figures(of, classes) for key, of in rows}).T.sort_index()

    cross = {
        (a["backbone"], a["arm"]): by_fold("cross-validation", a["backbone"], a["arm"])
        for a in report["arms"]
    }

    def check_estimate(what, ours, values, level=level, unit=True):
        mean, (lower, upper), _ = corrected(values, ratio, level)
        check(f"{what} mean", ours["estimate"], mean)
        check(f"{what} lower", ours["lower"], max(lower, -1.0) if unit else lower)
        check(f"{what} upper", ours["upper"], min(upper, 1.0) if unit else upper)

    def check_gains(what, gains, pairs):
        differences = [cross[to][main] - cross[origin][main] for origin, to in pairs]
        p = [corrected(d, ratio, level)[2] for d in differences]
        adjusted, shares = holm(p), holm_shares(p, 1 - level)
        for gain, d, (origin, to), p, p_holm, share in zip(
            gains, differences, pairs, p, adjusted, shares
        ):
            name = f"{what} {origin} {to}"
            check_estimate(name, gain["absolute"], d, 1 - (1 - level) / share, unit=False)
            check(f"{name} p", gain["p"], p)
            check(f"{name} p after Holm", gain["p_holm"], p_holm)
            check(f"{name} relative", gain["relative"], d.mean() / cross[origin][main].mean())
            differs = p_holm < 1 - level
            word = ("better" if d.mean() > 0 else "worse") if differs else gain["word"]
            check(f"{name} {gain['word']}", gain["word"] == word, True)
            check(f"{name} told apart", gain["word"] in ("better", "worse"), differs)

    test = predictions[predictions.part == "test"]
    tested = lambda arm: test[(test.backbone == arm[0]) & (test.arm == arm[1])]
    gains, pairs = [], []
    for arm in report["arms"]:
        key, reference = (arm["backbone"], arm["arm"]), (arm["backbone"], report["reference"])
        for metric in arm["metrics"]:
            check_estimate(f"{key} {metric['name']}", metric, cross[key][metric["name"]])
        check_metrics(f"{key} test", arm["test"], tested(key), classes)
        if arm["gain"]:
            gains.append(arm["gain"])
            pairs.append((reference, key))
        if arm["test_gain"]:
            before, after = figures(tested(reference)), figures(tested(key))
            check(f"{key} test gain", arm["test_gain"]["absolute"]["estimate"],
                  after[main] - before[main])
    check_gains("gain", gains, pairs)
    off, on = ((b, a) for b, a in [(report["backbones"][0], report["reference"]),
                                   (report["backbones"][0], report["on"])])
    selected = report["backbones"][-1]
    square = [(off, on)]
    if len(report["backbones"]) > 1:
        with_off, with_on = (selected, report["reference"]), (selected, report["on"])
        square += [(off, with_off), (with_off, with_on), (off, with_on)]
    check_gains("square", report["square"], square)
    for curve in report["curves"]:
        for point in curve["points"][:-1]:
            of = by_fold(f"curve {point['n_positives']}", report["backbones"][0], curve["name"])
            check_estimate(f"curve {curve['name']}", point, of[curve["metric"]])

    def auroc(rows, within):
        """Over the pairs of one group, or over all, at least one of them being positive."""
        right, n = 0.0, 0
        for _, of in rows.groupby("group") if within else [(0, rows)]:
            y = (of.label == classes[1]).to_numpy()
            pairs = y.sum() * (~y).sum()
            if pairs:
                right += pairs * m.roc_auc_score(y, of[f"prob_{classes[1]}"])
                n += pairs
        return right / n if n else math.nan

    permuted = predictions[predictions.part == "permuted"]
    base, p_gain, p_chance = None, [], []
    for control in report["controls"]:
        rows = permuted[(permuted.backbone == control["backbone"]) & (permuted.arm == control["arm"])]
        within = control["permuted"] == "within groups"
        scores = np.array([auroc(of, within) for _, of in rows.groupby("repeat")])
        # Draws are independent given the rows, so that this is the ordinary t-test.
        mean, (lower, upper), p = corrected(scores - 0.5, 0.0, level)
        for name, value in [("estimate", mean), ("lower", lower), ("upper", upper)]:
            check(f"control {control['arm']} {name}", control["score"][name], value + 0.5)
        p_chance.append(p)
        if control["gain"] is None:
            base = scores
            p_gain.append(math.nan)
        else:
            mean, (lower, upper), p = corrected(scores - base, 0.0, level)
            for name, value in [("estimate", mean), ("lower", lower), ("upper", upper)]:
                check(f"control gain {control['arm']} {name}", control["gain"][name], value)
            p_gain.append(p)
    for control, chance, gain in zip(report["controls"], holm(p_chance), holm(p_gain)):
        check(f"control {control['arm']} p", control["chance_p"], chance)
        check(f"control gain {control['arm']} p", control["gain_p"], gain)


def evaluate(folder):
    report = json.loads((folder / "evaluation.json").read_text())
    rows = pd.read_parquet(folder / "predictions.parquet")
    classes = report["classes"]
    check("rows", report["n_rows"], len(rows))
    check_metrics("evaluation", report["metrics"], rows, classes)
    confusion = m.confusion_matrix(rows.label, rows.called, labels=classes)
    check("confusion", np.abs(np.array(report["confusion"]) - confusion).sum(), 0)
    for centre in report["centres"]:
        of = rows[rows.centre == centre["name"]]
        check_metrics(centre["name"], centre["metrics"], of, classes)
        confusion = m.confusion_matrix(of.label, of.called, labels=classes)
        check("confusion", np.abs(np.array(centre["confusion"]) - confusion).sum(), 0)
    if len(classes) == 2:
        y, score = rows.label == classes[-1], rows[f"prob_{classes[-1]}"]
        precision, recall, _ = m.precision_recall_curve(y, score)
        for at in report["recall_at_precision"]:
            theirs = recall[precision >= at["precision"]].max()
            check(f"recall at precision {at['precision']}", at["recall"], theirs)
        called = rows.called == classes[-1]
        hit, false = called[y].mean(), called[~y].mean()
        for at in report["precision_at_prevalence"]:
            pi = at["prevalence"]
            theirs = pi * hit / (pi * hit + (1 - pi) * false)
            check(f"precision at prevalence {pi}", at["precision"], theirs)


if __name__ == "__main__":
    kind, folder = sys.argv[1], Path(sys.argv[2])
    # Folds of few rows lack classes, which the figures of the reports allow for.
    warnings.simplefilter("ignore")
    {"run": run, "train": train, "study": study, "evaluate": evaluate}[kind](folder)
    print(f"{agreed} figures agree, {len(wrong)} do not")
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)
