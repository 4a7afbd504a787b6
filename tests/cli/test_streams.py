"""``-``: files come in by stdin and go out by stdout, and nothing else is written there."""

import io
import sys

import pytest
import skimage.data

from jaxsr import codec
from jaxsr.cli import main, streams
from jaxsr.cli.paths import STREAM
from jaxsr.image import files

CAT = skimage.data.chelsea()[100:148, 100:164]


@pytest.fixture
def run(capsysbinary, monkeypatch):
    """Exit code, stdout and stderr of ``jaxsr ARGUMENTS`` that is given bytes."""

    def run(*arguments, given=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        try:
            code = main(list(map(str, arguments)))
        except SystemExit as stop:
            code = stop.code
        return code, *capsysbinary.readouterr()

    return run


def data_of(name, pixels=CAT):
    return files.encode(files.format_of(name), files.Picture(pixels))


def test_every_command_of_one_file_reads_stdin_and_writes_stdout(
    folder, run, stage_files, tiny_codec
):
    upscaler, segmenter, restorer = (
        stage_files[name] for name in ("span_compact", "attention_unet", "window_restorer")
    )
    sizes = {
        ("upscale", "--model", upscaler): (96, 128, 3),
        ("segment", "--model", segmenter): (48, 64, 1),
        ("restore", "--model", restorer, "--roi", "all"): (48, 64, 3),
        ("enhance", "--model", upscaler, "--restorer", restorer, "--roi", "all"): (96, 128, 3),
    }
    for command, size in sizes.items():
        code, out, err = run(*command, "-", "-o", "-", given=data_of("a.png"))
        assert code == 0, err
        assert out.startswith(b"\x89PNG") and b"- \xe2\x86\x92 -: " in err
        assert files.decode(out, "stdout").pixels.shape == size
        code, _, _ = run(*command, "-", "-o", "x.png", "--overwrite", given=data_of("a.png"))
        assert code == 0 and (folder / "x.png").read_bytes() == out
    code, coded, _ = run("compress", "-", "-o", "-", "--model", tiny_codec, given=data_of("a.png"))
    assert code == 0 and coded == codec.encode(CAT, model=tiny_codec)
    code, out, _ = run("decompress", "-", "-o", "-", "--model", tiny_codec, given=coded)
    assert code == 0 and out.startswith(b"\x89PNG")
    for data, says in ((coded, b"rate level"), (out, b"64\xc3\x9748 pixels")):
        code, out, _ = run("info", "-", given=data)
        assert code == 0 and says in out
    code, out, _ = run("info", "-", given=upscaler.read_bytes())
    assert code == 0 and b"span_compact" in out


def test_the_format_is_the_inputs_or_the_one_asked_for(folder, run, stage_files):
    upscale = ["upscale", "--model", stage_files["span_compact"], "-o", "-"]
    (folder / "a.webp").write_bytes(data_of("a.webp"))
    (folder / "a.bmp").write_bytes(b"BM")
    for flags, given, begins in (
        (["-"], data_of("a.jpg"), b"\xff\xd8"),
        (["-", "--format", "png"], data_of("a.jpg"), b"\x89PNG"),
        (["a.webp"], b"", b"RIFF"),
    ):
        code, out, _ = run(*upscale, *flags, given=given)
        assert code == 0 and out.startswith(begins)


def test_masks_go_out_too(folder, run, stage_files):
    flags = ["--model", stage_files["span_compact"], "--restorer", stage_files["window_restorer"]]
    command = ["enhance", "-", "-o", "x.png", "--mask-out", "-", "--roi", "all", *flags]
    code, out, err = run(*command, given=data_of("a.png"))
    assert code == 0, err
    assert (files.decode(out, "mask").pixels == 255).all()
    assert files.read("x.png").pixels.shape == (96, 128, 3)


def test_what_is_wrong_with_streams_is_one_line(run):
    code, out, err = run("upscale", "-", "-o", "-")
    assert (code, out) == (2, b"") and err.startswith(b"jaxsr: -: stdin is empty\n")
    code, out, err = run("upscale", "-", "-o", "-", given=b"hello")
    assert (code, out) == (2, b"") and b"jaxsr: -: not a PNG, JPEG" in err


def test_no_image_is_written_to_a_terminal(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(ValueError, match="stdout is a terminal"):
        streams.write(STREAM, b"x")


def test_image_and_mask_do_not_both_go_to_stdout(folder, run):
    flags = ["--roi", "all", "-o", "-", "--mask-out", "-"]
    code, out, err = run("enhance", "-", *flags, given=data_of("a.png"))
    assert (code, out) == (2, b"")
    assert err == b"jaxsr: -: stdout holds one image; give -o or --mask-out a file\n"


def test_what_is_wrong_with_stdin_is_told_of_stdin_and_not_of_its_copy(folder, run):
    header = (2).to_bytes(8, "little") + b"{" + b"x" * 9
    for command in (["convert", "-", "-"], ["info", "-"]):
        code, out, err = run(*command, given=header)
        assert (code, out) == (2, b"")
        assert err.startswith(b"jaxsr: -: ") and err.count(b"\n") == 1
