"""Bjøntegaard deltas: against another implementation's figures, and what they must do."""

import csv
import math

import numpy as np
import pytest

from jaxsr.evaluation.codecs import published
from jaxsr.evaluation.codecs.bd import bd_psnr, bd_rate, delta, shared_range

RATES = np.array([0.11, 0.23, 0.48, 0.9, 1.7])
PSNRS = np.array([27.1, 29.4, 32.2, 35.3, 39.0])


def test_a_curve_at_half_the_rate_is_minus_fifty_percent():
    assert bd_rate(RATES / 2, PSNRS, RATES, PSNRS) == pytest.approx(-50)
    assert bd_rate(RATES * 2, PSNRS, RATES, PSNRS) == pytest.approx(100)
    assert bd_psnr(RATES, PSNRS + 1.5, RATES, PSNRS) == pytest.approx(1.5)
    assert bd_rate(RATES, PSNRS, RATES, PSNRS) == bd_psnr(RATES, PSNRS, RATES, PSNRS) == 0


def test_figures_are_those_of_the_package_bjontegaard():
    # bjontegaard 1.3.0, method="pchip", require_matching_points=False, of exactly these points:
    # bd_rate(anchor…, test…) and bd_psnr(anchor…, test…)
    rates, psnrs = [0.08, 0.2, 0.35, 0.8, 1.1, 1.5], [26.3, 29.9, 31.0, 35.6, 36.2, 39.9]
    assert bd_rate(rates, psnrs, RATES, PSNRS) == pytest.approx(-13.754219947496038, rel=1e-9)
    assert bd_psnr(rates, psnrs, RATES, PSNRS) == pytest.approx(0.6222828525110975, rel=1e-9)


def test_neither_order_nor_unit_of_the_points_matters():
    some = [3, 0, 4, 1, 2]
    plain = bd_rate(RATES * 0.8, PSNRS + 0.1, RATES, PSNRS)
    shuffled = bd_rate(list(RATES[some] * 800), list(PSNRS[some] + 0.1), 1000 * RATES, PSNRS)
    assert shuffled == pytest.approx(plain, rel=1e-12)


def test_the_cheaper_of_two_points_of_one_psnr_counts():
    doubled = np.append(RATES, 0.6), np.append(PSNRS, PSNRS[2])
    assert bd_rate(*doubled, RATES, PSNRS) == 0
    assert bd_psnr(np.append(RATES, 0.9), np.append(PSNRS, 30.0), RATES, PSNRS) == 0


def test_an_exact_copy_is_left_out():
    assert bd_rate([*RATES, 9.0], [*PSNRS, math.inf], RATES, PSNRS) == 0


def test_without_a_shared_range_there_is_no_figure():
    assert math.isnan(bd_rate(RATES, PSNRS - 20, RATES, PSNRS))
    assert math.isnan(bd_rate(RATES[:1], PSNRS[:1], RATES, PSNRS))
    assert math.isnan(bd_psnr([], [], RATES, PSNRS))
    assert shared_range(PSNRS, PSNRS + 2) == (29.1, 39.0)
    assert shared_range(PSNRS, [math.inf]) is None


def test_values_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="a PSNR for each rate, got 4 for 5"):
        bd_rate(RATES, PSNRS[:4], RATES, PSNRS)
    with pytest.raises(ValueError, match="above 0"):
        bd_rate(RATES, PSNRS, RATES - RATES[0], PSNRS)
    with pytest.raises(ValueError, match="must be numbers"):
        bd_psnr(RATES, PSNRS * np.nan, RATES, PSNRS)


# BD-rate in percent of published Kodak curves against VTM's.
AGAINST_VTM = {
    "JPEG": 208,
    "WebP": 79,
    "bmshj2018-factorized": 68,
    "bmshj2018-hyperprior": 30.5,
    "mbt2018-mean": 21,
    "BPG 8b 444 x265 ycbcr": 22,
    "AV1": 16,
    "mbt2018": 11,
    "cheng2020-attn": 5.5,
    "elic2022": -7,
}


def test_published_kodak_curves_lie_where_the_protocol_says(shared):
    vtm, *curves = published.read(
        shared / "peers" / "kodak_rd" / "points.csv", ["VTM", *AGAINST_VTM]
    )
    found = {curve.name: delta(curve, vtm).rate for curve in curves}
    assert found == pytest.approx(AGAINST_VTM, abs=0.5)


# The same file's curves by bjontegaard 1.3.0 as above: (bd_rate, bd_psnr) against VTM.
BY_ANOTHER = {
    "kodak/av1.json": (16.178033756204947, -0.7048524812105614),
    "kodak/bpg_444_x265_ycbcr.json": (21.987213227382284, -0.9774679995600338),
    "kodak/compressai-bmshj2018-hyperprior_ms-ssim_cpu.json": (
        238.1846683334394,
        -4.681237935536986,
    ),
    "kodak/compressai-bmshj2018-hyperprior_mse_cpu.json": (30.486254472736917, -1.2565383772067287),
    "kodak/compressai-cheng2020-attn_mse_cpu.json": (5.508970913435518, -0.22907373888327617),
    "kodak/jpeg.json": (208.49101628963456, -5.7062482210906),
    "kodak/jpeg2000.json": (97.97386792243981, -3.167788589156309),
    "kodak/paper-elic2022_mse.json": (-7.02416748532142, 0.323211122180685),
    "kodak/webp.json": (78.74982716647105, -3.0101803694788014),
}


def test_published_kodak_curves_have_another_implementations_figures(shared):
    curves = {}
    with open(shared / "peers" / "kodak_rd" / "points.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["file"] in {*BY_ANOTHER, "kodak/vtm.json"}:
                point = float(row["bpp"]), float(row["psnr_rgb_db"])
                curves.setdefault(row["file"], []).append(point)
    vtm = np.transpose(curves.pop("kodak/vtm.json"))
    for file, points in curves.items():
        pair = *np.transpose(points), *vtm
        assert (bd_rate(*pair), bd_psnr(*pair)) == pytest.approx(BY_ANOTHER[file], rel=1e-9), file
