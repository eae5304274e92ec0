# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes the figures of a report again from its predictions, with pandas and scikit-learn alone.

    figures.py run|train|study|evaluate|thresholds FOLDER

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


# What stands for a call where a row has none. It is no class, so that every score of calls counts
# the row as a miss.
UNCALLED = "(uncalled)"


def figures(rows, classes=None):
    """Every metric of some rows by its name in the reports."""
    classes = classes_of(rows, classes)
    truth, called = rows["label"].to_numpy(), rows["called"].fillna(UNCALLED).to_numpy()
    probabilities = rows[[f"prob_{c}" for c in classes]].to_numpy()
    known = [c for c in classes if c in truth or c in called]
    own = rows[ordered_columns(rows, classes)].to_numpy()
    areas = [area(truth == c, own[:, i]) for i, c in enumerate(classes)]
    found = {
        "coverage": (called != UNCALLED).mean(),
        "macro AUROC": np.nanmean(areas) if np.isfinite(areas).any() else math.nan,
        "balanced accuracy": m.balanced_accuracy_score(truth, called),
        "accuracy": m.accuracy_score(truth, called),
        "macro F1": m.f1_score(truth, called, labels=known, average="macro", zero_division=0),
        "Cohen's kappa": m.cohen_kappa_score(truth, called),
        "log loss": log_loss(truth, probabilities, classes),
    }
    if len(classes) == 2:
        positive, score = classes[-1], probabilities[:, 1]
        y, c = (truth == positive).astype(int), (called == positive).astype(int)
        found |= {
            "F1": m.f1_score(y, c, zero_division=0),
            "precision": m.precision_score(y, c, zero_division=0),
            "recall": m.recall_score(y, c, zero_division=0),
            "AUROC": areas[1],
            "AUPRC": m.average_precision_score(y, own[:, 1]) if y.any() else math.nan,
            "MCC": m.matthews_corrcoef(truth, called),
            "Brier score": ((score - y) ** 2).mean(),
            "ECE": expected_calibration_error(y, score),
        }
    return found


def area(is_class, score):
    return m.roc_auc_score(is_class, score) if 0 < is_class.sum() < len(is_class) else math.nan


def log_loss(truth, probabilities, classes):
    of_truth = probabilities[np.arange(len(truth)), [classes.index(t) for t in truth]]
    epsilon = np.finfo(float).eps
    return -np.log(np.clip(of_truth, epsilon, 1 - epsilon)).mean()


def raw_columns(rows, classes):
    """Probabilities as the model gives them: columns that are there where some head corrects them."""
    return [f"raw_{c}" if f"raw_{c}" in rows.columns else f"prob_{c}" for c in classes]


def ordered_columns(rows, classes):
    """What rows are put in order by: folds that were corrected each by themselves have none."""
    of_folds = (rows["part"] == "out-of-fold").all()
    return raw_columns(rows, classes) if of_folds else [f"prob_{c}" for c in classes]


def before_calibration(rows, classes):
    probabilities = rows[raw_columns(rows, classes)].to_numpy()
    y = (rows["label"] == classes[-1]).to_numpy().astype(int)
    return {
        "Brier score": ((probabilities[:, 1] - y) ** 2).mean(),
        "log loss": log_loss(rows["label"].to_numpy(), probabilities, classes),
        "ECE": expected_calibration_error(y, probabilities[:, 1]),
    }


def perfect_ece(rows, classes, draws=400):
    """The error of a head whose probabilities are true, by other draws than the report's."""
    score, random = rows[f"prob_{classes[-1]}"].to_numpy(), np.random.default_rng(1)
    errors = [
        expected_calibration_error((random.random(len(score)) < score).astype(int), score)
        for _ in range(draws)
    ]
    return np.mean(errors), np.std(errors)


def recall_at_precision(rows, classes, least):
    truth = rows.label == classes[-1]
    score = rows[ordered_columns(rows, classes)[-1]]
    precision, recall, _ = m.precision_recall_curve(truth, score)
    return recall[precision >= least].max()


def at_prevalence(rows, classes, share):
    """Precision and negative predictive value of the calls at a share of positives."""
    y = rows.label == classes[-1]
    called = lambda of, what: (rows.called[of] == what).mean()
    hit, false = called(y, classes[-1]), called(~y, classes[-1])
    spared, missed = called(~y, classes[0]), called(y, classes[0])
    over = lambda a, b: a / b if b > 0 else math.nan
    return (
        over(share * hit, share * hit + (1 - share) * false),
        over((1 - share) * spared, (1 - share) * spared + share * missed),
    )


def wrong_among_calls(rows):
    called = rows[rows.called.notna()]
    return (called.called != called.label).mean() if len(called) else math.nan


def check_perfect(what, ours, rows, classes):
    # Both are means of draws: theirs of 400, the report's of 200.
    mean, spread = perfect_ece(rows, classes)
    check(f"{what} ECE of a perfect head", abs(ours - mean) < 5 * spread / math.sqrt(130), True)


def check_beside(what, ours, rows, classes):
    """What stands beside the metrics in the reports of runs and evaluations."""
    uncalled = rows[rows.called.isna()]
    if ours.get("abstention"):
        check(f"{what} uncalled", ours["abstention"]["n_uncalled"], len(uncalled))
        check(f"{what} coverage", ours["abstention"]["coverage"], rows.called.notna().mean())
        check(f"{what} wrong", ours["abstention"]["wrong"], wrong_among_calls(rows))
        counts = [(uncalled.label == c).sum() for c in classes]
        check(f"{what} uncalled", np.abs(np.array(ours["uncalled"]) - counts).sum(), 0)
    else:
        check(f"{what} uncalled", len(uncalled), 0)
    if len(classes) != 2:
        return
    calibration, before, after = (
        ours["calibration"], before_calibration(rows, classes), figures(rows, classes),
    )
    for key, name in [("ece", "ECE"), ("brier", "Brier score"), ("log_loss", "log loss")]:
        check(f"{what} {name} before", calibration[f"{key}_before"], before[name])
        check(f"{what} {name} after", calibration[f"{key}_after"], after[name])
    check_perfect(what, calibration["ece_perfect"], rows, classes)
    for at in ours["recall_at_precision"]:
        theirs = recall_at_precision(rows, classes, at["precision"])
        check(f"{what} recall at precision {at['precision']}", at["recall"], theirs)
    for at in ours["precision_at_prevalence"]:
        precision, negative = at_prevalence(rows, classes, at["prevalence"])
        name = f"{what} at prevalence {at['prevalence']}"
        check(f"{name} precision", at["precision"], precision)
        check(f"{name} negative predictive value", at["negative_predictive_value"], negative)


def check_named(what, name, ours, rows, classes):
    """A figure of a head's card by its name."""
    if name == "ECE of a perfect head":
        return check_perfect(what, ours, rows, classes)
    if name == "wrong among calls":
        theirs = wrong_among_calls(rows)
    elif name.startswith("precision at a prevalence of "):
        theirs = at_prevalence(rows, classes, float(name.split(" ")[-1]))[0]
    elif name.startswith("recall at a precision of "):
        theirs = recall_at_precision(rows, classes, float(name.split(" ")[-1]))
    elif name.endswith(" before calibration"):
        theirs = before_calibration(rows, classes)[name.removesuffix(" before calibration")]
    else:
        theirs = figures(rows, classes)[name]
    check(f"{what} {name}", ours, theirs)


def confusion_of(rows, classes):
    return m.confusion_matrix(rows.label, rows.called.fillna(UNCALLED), labels=classes)


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
        confusion = confusion_of(rows, classes)
        check(f"{what} confusion", np.abs(np.array(arm["confusion"]) - confusion).sum(), 0)
        check(f"{what} threshold", arm["threshold"], rows.threshold.iloc[0])
        check_beside(what, arm, rows, classes)
    for gain in report["gains"]:
        name = gain["absolute"]["name"]
        before, after = (figures(rows_of(report["arms"][gain[k]]))[name] for k in ("from", "to"))
        check(gain["change"], gain["absolute"]["estimate"], after - before)
        relative = (after - before) / before if before else math.nan
        check(gain["change"], gain["relative"], relative)
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
            name = name.removeprefix(part + " ")
            check_named(f"{task} {arm} {part}", name, ours, of_part, saved["classes"])
        check_calls(f"{task} {arm}", rows, saved["classes"])
    folds = pd.read_parquet(folder / "heads" / "folds.parquet")
    # Every fold's sides share no group, and every row is held out once a round.
    for (part, task), rows in folds[folds.part == "out-of-fold"].groupby(["part", "task"]):
        for _, fold in rows.groupby(["repeat", "fold"]):
            sides = fold.groupby("side")["group"].unique()
            check("torn groups", len(set(sides["train"]) & set(sides["held_out"])), 0)
        held_out = rows[rows.side == "held_out"].groupby(["repeat", "tile_id"]).size()
        check(f"{task} held out once", (held_out == 1).all(), True)


def check_calls(what, rows, classes):
    """Calls are those that each row's own threshold makes, one threshold for a fold."""
    if len(classes) != 2:
        return
    called = rows[rows.called.notna()]
    by_threshold = np.where(called[f"prob_{classes[1]}"] >= called.threshold, *classes[::-1])
    check(f"{what} calls", (called.called == by_threshold).all(), True)
    folds = rows[rows.part == "out-of-fold"].groupby(["repeat", "fold"]).threshold.nunique()
    check(f"{what} thresholds", (folds <= 1).all(), True)


def thresholds(folder):
    """The threshold of every fold is that of the largest F1 on the rows of the other folds."""
    predictions = pd.read_parquet(folder / "heads" / "predictions.parquet")
    predictions = predictions[predictions.part == "out-of-fold"]
    for (task, arm), rows in predictions.groupby(["task", "arm"]):
        positive = classes_of(rows)[1]
        used = set()
        for fold, of_fold in rows.groupby("fold"):
            others = rows[rows.fold != fold]
            y, score = others.label == positive, others[f"prob_{positive}"]
            # With fewer it is a median over draws.
            check(f"{task} {arm} positives", y.sum() >= 50, True)
            precision, recall, at = m.precision_recall_curve(y, score)
            f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
            largest = at[: len(f1)][np.flatnonzero(f1[:-1] >= f1[:-1].max() - 1e-12)].max()
            below = score[score < largest]
            middle = (largest + below.max()) / 2 if len(below) else largest
            check(f"{task} {arm} threshold of fold {fold}", of_fold.threshold.iloc[0], middle)
            used.add(of_fold.threshold.iloc[0])
        check(f"{task} {arm} thresholds differ", len(used) > 1, True)


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
    check_beside("evaluation", report, rows, classes)
    confusion = confusion_of(rows, classes)
    check("confusion", np.abs(np.array(report["confusion"]) - confusion).sum(), 0)
    for centre in report["centres"]:
        of = rows[rows.centre == centre["name"]]
        check_metrics(centre["name"], centre["metrics"], of, classes)
        confusion = confusion_of(of, classes)
        check("confusion", np.abs(np.array(centre["confusion"]) - confusion).sum(), 0)


if __name__ == "__main__":
    kind, folder = sys.argv[1], Path(sys.argv[2])
    # Folds of few rows lack classes, which the figures of the reports allow for.
    warnings.simplefilter("ignore")
    kinds = {"run": run, "train": train, "study": study, "evaluate": evaluate}
    (kinds | {"thresholds": thresholds})[kind](folder)
    print(f"{agreed} figures agree, {len(wrong)} do not")
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)
