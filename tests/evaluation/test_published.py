"""Tables of published curves: which are taken of a file, and what is refused."""

import pytest

from jaxsr.evaluation.codecs import published
from jaxsr.evaluation.codecs.published import PublishedCurve

HEADER = "file,codec,q,bpp,psnr_rgb_db,ms_ssim_rgb,enc_s,dec_s"
TABLE = f"""{HEADER}
a_ms-ssim_cpu.json,net,1,0.1,25.0,0.95,,
a_ms-ssim_cpu.json,net,2,0.2,26.0,0.97,,
a_mse_cpu.json,net,2,0.2,30.5,0.96,1.5,1.0
a_mse_cpu.json,net,1,0.1,28.0,0.94,1.5,1.0
a_mse_cuda.json,net,1,0.1,28.0,0.94,0.1,0.1
a_mse_cuda.json,net,2,0.2,30.5,0.96,0.1,0.1
b.json,net-8bit,1,0.1,27.97,,,
b.json,net-8bit,2,0.2,30.48,,,
c.json,JPEG,1,0.3,28.0,,,
c.json,JPEG,2,0.5,30.5,,,
d.json,without PSNR,1,0.3,,0.9,,
d.json,without PSNR,2,0.5,,0.95,,
e.json,single,1,0.5,30.0,0.95,,
"""
NET = PublishedCurve("net", (0.1, 0.2), (28.0, 30.5))
JPEG = PublishedCurve("JPEG", (0.3, 0.5), (28.0, 30.5))


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text(TABLE)
    return path


def test_a_curve_is_taken_once_in_order_of_rate_and_tuned_for_psnr(table):
    assert published.read(table) == [NET, JPEG]


def test_names_select_and_order(table):
    curves = published.read(table, ["JPEG", "net-8bit", "net"])
    assert [curve.name for curve in curves] == ["JPEG", "net-8bit", "net"]
    with pytest.raises(ValueError, match=r"no curve 'JPG'; there are: net, net-8bit, JPEG$"):
        published.read(table, ["JPG"])


def test_only_codec_rate_and_psnr_are_needed(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("psnr_rgb_db,codec,bpp\n28.0,net,0.1\n30.5,net,0.2\n")
    assert published.read(path) == [NET]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("codec,bpp\na,1\n", "no column psnr_rgb_db in the first line"),
        ("", "no column codec, bpp, psnr_rgb_db"),
        (f"{HEADER}\nf,a,1,much,30,,,\n", "points.csv:2: .* must be numbers, got 'much'"),
        (f"{HEADER}\nf,a,1,-1,30,,,\n", "points.csv:2: .* cannot be"),
        (f"{HEADER}\nf,a,1,0.5,inf,,,\n", "cannot be"),
        (f"{HEADER}\nf,a\n", "no curve in it"),
        (HEADER, "no curve in it"),
        ("a\0b", "no column|not a CSV"),
    ],
)
def test_what_is_no_table_of_curves_is_refused_in_one_line(table, text, message):
    table.write_text(text)
    with pytest.raises(ValueError, match=message):
        published.read(table)


def test_a_missing_or_binary_file_is_refused(table, tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        published.read(tmp_path / "absent.csv")
    table.write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(ValueError, match="not a CSV table"):
        published.read(table)


def test_the_published_kodak_curves_are_tuned_for_psnr_and_all_differ(shared):
    curves = published.read(shared / "peers" / "kodak_rd" / "points.csv")
    names = [curve.name for curve in curves]
    assert {"VTM", "JPEG", "WebP", "elic2022", "mbt2018-mean"} <= set(names)
    assert len(set(names)) == len(names)
    assert not any(name.endswith("8bit") for name in names)  # the same networks, measured again
    hyperprior = next(curve for curve in curves if curve.name == "bmshj2018-hyperprior")
    assert hyperprior.psnr[0] == pytest.approx(27.58, abs=0.01)  # 24.87 where tuned for MS-SSIM
