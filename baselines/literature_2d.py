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
