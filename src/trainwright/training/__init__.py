"""Training: the only loop. `fit` reads as its flow, the other files are its parts."""
