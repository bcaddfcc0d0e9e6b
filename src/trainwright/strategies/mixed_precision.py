"""Mixed precision: layers multiply in bfloat16, and everything else stays in float32.

Source: Micikevicius et al. 2018, "Mixed Precision Training" (arXiv 1710.03740), section 3.1, for the float32
master copy of the weights; Kalamkar et al. 2019, "A Study of BFLOAT16 for Deep Learning Training" (arXiv
1905.12322), for this type, which has the range of float32, so that losses need no scaling.

Inputs and weights of fully connected, convolutional and locally connected layers are rounded to 8 significant
bits where they are multiplied, in training and when predicting, and so are the gradients that pass there.
A product is rounded, too, before its bias is added: the papers keep it in float32. Weights, biases, their
updates, batch statistics, softmax and loss are float32, and what a layer puts out is stored so: activations
take as much memory as without it. Products in other strategies' own layers stay as they are.

It is for accelerators that have units for such products. On a CPU it saves nothing and may be slower. XLA
leaves a rounding out where it likes, so the last digits differ from one program to another more than usual.
"""

from __future__ import annotations

from trainwright.base.config import config
from trainwright.layers.product import Product, Rounded
from trainwright.site import Site
from trainwright.strategy import Strategy


@config
class MixedPrecision(Strategy):
    """Multiply in bfloat16, for accelerators; weights, statistics and loss stay float32.

    >>> MixedPrecision()
    MixedPrecision()
    """

    def product(self, site: Site) -> Product:
        return Rounded("bfloat16")
