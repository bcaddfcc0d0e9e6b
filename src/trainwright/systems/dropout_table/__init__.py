"""The dropout paper's table 2: errors on MNIST of networks that do not know where a pixel is.

Source: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, "Dropout: A Simple Way to Prevent
Neural Networks from Overfitting", table 2 and appendix B.1. The paper gives: p = 0.8 for inputs and 0.5 for
hidden units, max-norm c = 2 on all layers, final momentum 0.95, 1,000,000 updates, and that settings were
chosen on 10,000 of the training images, which were then trained on too. It does not give the learning rate
and its decay, the batch size, the first weights, or how momentum rises. Budget `paper` takes these from the
configuration that the authors' code ships for MNIST (github.com/nitishsrivastava/deepnet,
`examples/ff/model_dropout.pbtxt`), which is for another network (1024-1024-2048).

Budget `standard` trains the same model in the convention that scales in training: the paper's weights times
p, hence c times p. Its schedule comes from a short search on validation with one row, 3 × 1,024 units and
max-norm; `benchmarks/schedule.py` takes the search further.
"""

from __future__ import annotations

from trainwright.system import Table
from trainwright.systems.dropout_table.feedforward import (
    dropout_2x4096_max_norm,
    dropout_2x8192_max_norm,
    dropout_3x1024,
    dropout_3x1024_logistic,
    dropout_3x1024_max_norm,
    dropout_3x2048_max_norm,
    maxout_2x240,
    standard_800,
    svm,
)
from trainwright.systems.dropout_table.pretrained import dbm, dbm_dropout, dbn, dbn_dropout

TABLE = Table(
    "dropout",
    "The dropout paper's MNIST table, trained again",
    "Errors on MNIST's 10,000 test images of networks that do not know where a pixel is (Srivastava et al. "
    "2014, table 2). No choice looks at these: what the sources leave open is chosen on 10,000 of the 60,000 "
    "training images, or by convention, as each row says. The trainings reported here have all 60,000, for a "
    "length fixed beforehand (maxout: by the published two stages), and the test images are read once, after "
    "the last update. Budget quick takes minutes and only shows a system at work. The interval is over seeds "
    "(Student's t, 95 %), for these same test images.",
    (
        standard_800,
        svm,
        dropout_3x1024_logistic,
        dropout_3x1024,
        dropout_3x1024_max_norm,
        dropout_3x2048_max_norm,
        dropout_2x4096_max_norm,
        dropout_2x8192_max_norm,
        maxout_2x240,
        dbn,
        dbm,
        dbn_dropout,
        dbm_dropout,
    ),
)
