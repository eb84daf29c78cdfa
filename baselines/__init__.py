"""Published networks and their backbones. This table is all that listing them needs: torch is imported on building.

A model's builder is called as `builder(backbone, num_classes=..., frames=..., dropout=..., **options)`, a backbone's as
`builder(**options)`. Facts: `backbones` are those that the network is defined for, `published` those of them for which
its authors print results, `clip_length` the consecutive frames that one segment takes from the video.
"""

from baselines import timm_names
from repro.registry import backbones, models

_ANY = ("resnet18", "resnet34", "resnet50", "resnet101", "resnext101", "bninception", "tiny_resnet", "tiny_inception")
_EFFICIENT = ("efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3")
#: shown by name; any other network of timm that is a plain sequence of parts is a backbone too
_TIMM = ("mobilenetv2_100", "tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")
_BOTTLENECK = ("resnet50", "resnet101", "tiny_resnet")

backbones.add("resnet18", "baselines.resnet:resnet18", "ResNet-18, basic blocks (timm)", feature_channels=512)
backbones.add("resnet34", "baselines.resnet:resnet34", "ResNet-34, basic blocks (timm)", feature_channels=512)
backbones.add("resnet50", "baselines.resnet:resnet50", "ResNet-50 v1.5, bottlenecks (timm)", feature_channels=2048)
backbones.add("resnet101", "baselines.resnet:resnet101", "ResNet-101 v1.5, bottlenecks (timm)", feature_channels=2048)
backbones.add("resnext101", "baselines.resnet:resnext101", "ResNeXt-101 32x4d (timm)", feature_channels=2048)
backbones.add(
    "bninception",
    "baselines.bninception:bninception",
    "BN-Inception, of BGR pixels 0..255",
    feature_channels=1024,
)
for _name in (*_EFFICIENT, *_TIMM):
    backbones.add(_name, timm_names.builder(_name), f"{_name} (timm)", timm=True)
backbones.otherwise = timm_names.entry
backbones.add(
    "tiny_resnet",
    "baselines.resnet:tiny_resnet",
    "three bottleneck stages of width 16, 32, 64 for 32x32 probes; options blocks (a stage, default 1), pool",
    feature_channels=256,
    small=True,
)
backbones.add(
    "tiny_inception",
    "baselines.bninception:tiny_inception",
    "four Inception modules for 32x32 probes",
    feature_channels=128,
    small=True,
)

models.add(
    "tsn",
    "baselines.tsn:tsn",
    "frames scored one by one, scores averaged (Wang et al., ECCV 2016)",
    backbones=(*_ANY, *_EFFICIENT),
    published=("resnet50", "resnet101"),
    any_backbone=True,
    clip_length=1,
)
models.add(
    "tsm",
    "baselines.tsm:tsm",
    "an eighth of the channels shifted in time each way (Lin et al., ICCV 2019)",
    backbones=_ANY,
    published=("resnet50", "resnet101"),
    any_backbone=True,
    clip_length=1,
)
models.add(
    "tanet",
    "baselines.tanet:tanet",
    "temporal kernels generated from the clip (Liu et al., ICCV 2021)",
    backbones=_BOTTLENECK,
    published=("resnet50",),
    any_backbone=True,
    clip_length=1,
)
models.add(
    "tdn",
    "baselines.tdn:tdn",
    "differences within and between segments of five frames (Wang et al., CVPR 2021)",
    backbones=_BOTTLENECK,
    published=("resnet50", "resnet101"),
    clip_length=5,
)
models.add(
    "lstm",
    "baselines.lstm:lstm",
    "an LSTM over the frames' features (Donahue et al., CVPR 2015)",
    backbones=_ANY,
    published=(),
    any_backbone=True,
    clip_length=1,
)
models.add(
    "gst",
    "baselines.gst:gst",
    "a quarter of each 3x3 convolution reaches over time (Luo and Yuille, ICCV 2019)",
    backbones=_BOTTLENECK,
    published=("resnet50", "resnet101"),
    clip_length=1,
)

from baselines import literature_2d, literature_3d  # noqa: E402, F401
