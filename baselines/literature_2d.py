"""Registration of the networks over 2D backbones that the papers' tables quote. Imports no torch.

Facts beside those of `baselines`: `imagenet`, backbone -> timm's name and tag of the weights that a network starts from
where they are not those of its backbone; `reference`, "none" for a network read from its paper alone.
"""

from repro.registry import backbones, models

_RES2NET = {"resnet50": "res2net50_26w_4s.in1k", "resnet101": "res2net101_26w_4s.in1k"}
_BOTTLENECK = ("resnet50", "resnet101", "tiny_resnet")

models.add(
    "tea",
    "baselines.tea:tea",
    "motion excitation and multiple temporal aggregation in Res2Net (Li et al., CVPR 2020)",
    backbones=_BOTTLENECK,
    published=("resnet50",),
    clip_length=1,
    imagenet=_RES2NET,
)
models.add(
    "stm",
    "baselines.stm:stm",
    "channel-wise spatiotemporal and motion modules (Jiang et al., ICCV 2019), no public reference",
    backbones=_BOTTLENECK,
    published=("resnet50",),
    clip_length=1,
    reference="none",
)
models.add(
    "teinet",
    "baselines.teinet:teinet",
    "temporal enhancement and interaction (Liu et al., AAAI 2020), no public reference",
    backbones=_BOTTLENECK,
    published=("resnet50",),
    clip_length=1,
    reference="none",
)

backbones.add(
    "inceptionv3",
    "baselines.inceptionv3:inceptionv3",
    "Inception-v3, of BGR pixels 0..255, 229x229",
    feature_channels=2048,
    input_size=229,
)
models.add(
    "gsm",
    "baselines.gsm:gsm",
    "gated shift of channels in time (Sudhakaran et al., CVPR 2020)",
    backbones=("bninception", "inceptionv3", "tiny_inception"),
    published=("bninception", "inceptionv3"),
    clip_length=1,
)

for _depth in (50, 101):
    backbones.add(f"blresnet{_depth}", "baselines.blvnet_tam:blresnet", f"Big-Little ResNet-{_depth}, of blvnet_tam")
models.add(
    "blvnet_tam",
    "baselines.blvnet_tam:blvnet_tam",
    "pairs of frames, one by a deep, one by a shallow branch; mixed over time (Fan et al., NeurIPS 2019)",
    backbones=("blresnet50", "blresnet101", "tiny_resnet"),
    published=("blresnet50", "blresnet101"),
    clip_length=1,
)
models.add(
    "trn_multiscale",
    "baselines.trn:trn_multiscale",
    "relations of two to all frames, by linear layers (Zhou et al., ECCV 2018)",
    backbones=("bninception", "resnet18", "resnet34", "resnet50", "resnet101", "tiny_resnet", "tiny_inception"),
    published=("bninception",),
    clip_length=1,
)
models.add(
    "smallbignet",
    "baselines.smallbignet:smallbignet",
    "each convolution also reads the maximum around (Li et al., CVPR 2020)",
    backbones=_BOTTLENECK,
    published=("resnet50", "resnet101"),
    clip_length=1,
)
models.add(
    "arnet",
    "baselines.arnet:arnet",
    "a policy gives each frame a resolution and its network, or skips it (Meng et al., ECCV 2020)",
    backbones=("resnet50", "efficientnet_b3", "tiny_resnet"),
    published=("resnet50", "efficientnet_b3"),
    clip_length=1,
)
