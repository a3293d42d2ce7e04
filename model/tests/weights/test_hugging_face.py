"""Files of Hugging Face's ViT and DeiT: what they compute, and what lies beside them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from model.data.image_folder import evaluation_transform
from model.data.preprocessing import Preprocessing
from model.network.names import DEIT_TINY, VIT_DIGITS, get_network
from model.tests import hugging_face_vit as theirs
from model.weights.beside import of_processor
from model.weights.files import read_weights
from model.weights.load import load_model
from rtl_gen.errors import UserError

HALF = [0.5, 0.5, 0.5]
PROCESSOR = {
    "image_mean": HALF,
    "image_std": [0.25, 0.5, 0.125],
    "resample": 2,
    "size": {"height": 28, "width": 28},
}
CONFIG = {
    "architectures": ["ViTForImageClassification"],
    "model_type": "vit",
    "hidden_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 3,
    "intermediate_size": 192,
    "image_size": 28,
    "patch_size": 4,
    "hidden_act": "gelu",
}


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(7))


def loaded(path: Path, kind: type[VisionTransformer], **options: Any) -> nn.Module:
    """A timm model with the shape of vit_digits and the weights of a file."""
    shape = {"img_size": 28, "patch_size": 4, "embed_dim": 48, "depth": 4, "num_heads": 3}
    model = kind(**shape, **options).eval()
    model.load_state_dict(read_weights(path, VIT_DIGITS).tensors)
    return model


@torch.inference_mode()
@pytest.mark.parametrize("front", ["vit.", "deit."])
@pytest.mark.parametrize("five", [False, True])
def test_classifier_on_the_class_token(tmp_path: Path, images: Tensor, front: str, five):
    """Every one of query, key and value in its place, or the logits differ."""
    state = theirs.random_state(VIT_DIGITS, front, ("classifier",), five=five)
    save_file(state, tmp_path / "model.safetensors")
    found = load_model(VIT_DIGITS, tmp_path)(images)
    tokens = theirs.tokens(state, images, VIT_DIGITS, front, five=five)
    expected = theirs.logits(state, tokens[:, 0], "classifier")
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-3)
    assert expected.std() > 1


@torch.inference_mode()
@pytest.mark.parametrize("five", [False, True])
def test_with_teacher(tmp_path: Path, images: Tensor, five):
    """DeiTForImageClassificationWithTeacher: the mean of two classifiers of two tokens."""
    classifiers = ("cls_classifier", "distillation_classifier")
    state = theirs.random_state(VIT_DIGITS, "deit.", classifiers, extra=2, five=five)
    save_file(state, tmp_path / "model.safetensors")
    model = loaded(tmp_path / "model.safetensors", VisionTransformerDistilled, num_classes=10)
    tokens = theirs.tokens(state, images, VIT_DIGITS, "deit.", five=five)
    both = [theirs.logits(state, tokens[:, place], classifiers[place]) for place in (0, 1)]
    assert torch.allclose(model(images), (both[0] + both[1]) / 2, rtol=1e-3, atol=1e-3)


@torch.inference_mode()
def test_distillation_token_without_its_classifier(tmp_path: Path, images: Tensor):
    """DeiTForImageClassification: the second token is there and classifies nothing."""
    state = theirs.random_state(VIT_DIGITS, "deit.", ("classifier",), extra=2)
    save_file(state, tmp_path / "model.safetensors")
    model = loaded(tmp_path / "model.safetensors", VisionTransformerDistilled, num_classes=10)
    tokens = theirs.tokens(state, images, VIT_DIGITS, "deit.", five=False)
    expected = theirs.logits(state, tokens[:, 0], "classifier")
    assert torch.allclose(model(images), expected, rtol=1e-3, atol=1e-3)


@torch.inference_mode()
@pytest.mark.parametrize("five", [False, True])
def test_features(tmp_path: Path, images: Tensor, five):
    """ViTModel: no classifier; its pooler and its mask token are no part of the features."""
    state = theirs.random_state(VIT_DIGITS, "", (), five=five)
    others = {
        "pooler.dense.weight": torch.randn(48, 48),
        "pooler.dense.bias": torch.randn(48),
        "embeddings.mask_token": torch.randn(1, 1, 48),
    }
    torch.save({**state, **others}, tmp_path / "pytorch_model.bin")
    model = loaded(tmp_path, VisionTransformer, num_classes=0)
    expected = theirs.tokens(state, images, VIT_DIGITS, "", five=five)
    assert torch.allclose(model.forward_features(images), expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(UserError, match="has no classifier, as after pre-training: tensor head"):
        load_model(VIT_DIGITS, tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As `save_pretrained` leaves it, without a processor."""
    state = theirs.random_state(VIT_DIGITS, "vit.", ("classifier",))
    save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_attention_heads": 6}, "num_attention_heads = 6, expected 3"),
        ({"hidden_size": 192}, "hidden_size = 192, expected 48"),
        ({"num_hidden_layers": 12}, "num_hidden_layers = 12, expected 4"),
        ({"intermediate_size": 96}, "intermediate_size = 96, expected 192"),
        ({"image_size": 32}, "image_size = 32, expected 28"),
        ({"image_size": [28, 56]}, r"image_size = \[28, 56\], expected \(28, 28\)"),
        ({"patch_size": 16}, "patch_size = 16, expected 4"),
        ({"hidden_act": "gelu_new"}, "hidden_act = gelu_new, expected GELU"),
        ({"hidden_act": "mish"}, "hidden_act = mish, expected GELU"),
        ({}, None),
        ({"image_size": [28, 28]}, None),
        ({"model_type": "swin", "hidden_size": 7}, None),
    ],
)
def test_configurations(folder: Path, changes: dict[str, Any], said: str | None):
    """One line where config.json contradicts the network; shapes show neither heads nor GELU."""
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    if said is None:
        load_model(VIT_DIGITS, folder)
        return
    with pytest.raises(UserError, match=f"not fit vit_digits: config.json beside it says {said}$"):
        load_model(VIT_DIGITS, folder)


@torch.inference_mode()
def test_small_tokens(tmp_path: Path, images: Tensor):
    """transformers adds less to a variance than timm, which shows where variances are small."""
    state = theirs.random_state(VIT_DIGITS, "vit.", ("classifier",))
    for name in state:
        if "embeddings" in name or "encoder" in name:
            state[name] = state[name] * 0.03
    save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | {"layer_norm_eps": 1e-12}))
    tokens = theirs.tokens(state, images, VIT_DIGITS, "vit.", five=False)
    expected = theirs.logits(state, tokens[:, 0], "classifier")
    found = load_model(VIT_DIGITS, tmp_path)(images)
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_resized_networks(folder: Path):
    """Size and crop are those of the network that was asked for, whatever the files beside say."""
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    network = get_network("vit_digits+img_size=56")
    model = load_model(network, folder)
    assert evaluation_transform(model)(picture()).shape == (3, 56, 56)
    with pytest.raises(UserError, match="num_attention_heads = 3, expected 6"):
        load_model(get_network("vit_digits+img_size=56+num_heads=6"), folder)


def picture() -> Image.Image:
    pixels = np.random.default_rng(8).integers(0, 256, (40, 61, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def normalised(image: Image.Image, mean: list[float], std: list[float]) -> Tensor:
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    return (pixels - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


@pytest.mark.parametrize(
    ("changes", "resized", "method"),
    [
        ({}, (28, 28), Image.Resampling.BILINEAR),
        ({"size": 28, "resample": 3}, (28, 28), Image.Resampling.BICUBIC),
        ({"resample": None}, (28, 28), Image.Resampling.BILINEAR),
        (
            {"resample": None, "feature_extractor_type": "DeiTFeatureExtractor"},
            (28, 28),
            Image.Resampling.BICUBIC,
        ),
        ({"size": 32, "crop_size": 28, "resample": 1}, (32, 32), Image.Resampling.LANCZOS),
        (
            {
                "size": {"height": 33, "width": 33},
                "crop_size": {"height": 28, "width": 28},
                "do_center_crop": True,
            },
            (33, 33),
            Image.Resampling.BILINEAR,
        ),
        ({"size": 28, "crop_size": 20, "do_center_crop": False}, (28, 28), None),
        ({"size": {"shortest_edge": 32}, "crop_size": 28}, (48, 32), Image.Resampling.BILINEAR),
    ],
)
def test_processors(folder: Path, changes: dict[str, Any], resized: tuple[int, int], method):
    """The network's pictures are those of preprocessor_config.json, by Pillow's own functions."""
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR | changes))
    model = load_model(VIT_DIGITS, folder)
    found = evaluation_transform(model)(picture())
    expected = picture().resize(resized, method or Image.Resampling.BILINEAR)
    left, top = (round((side - 28) / 2) for side in resized)
    expected = expected.crop((left, top, left + 28, top + 28))
    expected = normalised(expected, PROCESSOR["image_mean"], PROCESSOR["image_std"])
    assert torch.allclose(found, expected, atol=1e-6)


def test_pictures_that_are_not_normalised(folder: Path):
    settings = PROCESSOR | {"do_normalize": False}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    found = Preprocessing.of(load_model(VIT_DIGITS, folder))
    assert (found.mean, found.std) == ((0, 0, 0), (1, 1, 1))


def test_every_size_is_met():
    """timm rounds crop / part down to the size that pictures are resized to."""
    for crop in (28, 224, 384):
        for side in range(crop, 2 * crop):
            part = of_processor(PROCESSOR | {"size": side, "crop_size": crop})[0].crop_pct
            assert int(crop / part) == side


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": 32}, "makes pictures of 32 x 32, expected 28 x 28"),
        ({"image_mean": None}, r"is invalid \(image_mean: "),
        ({"image_std": [1, 1]}, r"is invalid \(image_std: "),
        ({"image_std": [1, 0, 1]}, r"is invalid \(std.1: "),
        ({"resample": 7}, r"is invalid \(resample: "),
        ({"rescale_factor": 1 / 127.5}, r"rescale_factor is 0.00784314: expected 1 / 255"),
        ({"do_resize": False}, "not resized or not rescaled are not supported"),
        ({"do_rescale": False}, "not resized or not rescaled are not supported"),
        ({"size": {"shortest_edge": 28}}, "any aspect are not supported: expected do_center_crop"),
        ({"size": {"longest_edge": 28}}, r"is invalid \(size.0: "),
        ({"size": [32, 40], "crop_size": 28}, "cropped by different factors"),
    ],
)
def test_processors_that_are_refused(folder: Path, changes: dict[str, Any], said: str):
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR | changes))
    with pytest.raises(UserError, match=said) as caught:
        load_model(VIT_DIGITS, folder)
    assert "\n" not in str(caught.value)


def test_the_processor_decides(tmp_path: Path):
    """Weights of two networks of timm's say by preprocessor_config.json which one they are."""
    torch.manual_seed(0)
    state = timm.create_model("deit_tiny_patch16_224").state_dict()
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="does not say how its pictures are normalised"):
        load_model(DEIT_TINY, tmp_path)
    settings = PROCESSOR | {"size": 224}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    found = Preprocessing.of(load_model(DEIT_TINY, tmp_path))
    assert (list(found.mean), list(found.std)) == (HALF, PROCESSOR["image_std"])
    assert (found.crop_pct, found.crop_mode, found.interpolation) == (1, "squash", "bilinear")
