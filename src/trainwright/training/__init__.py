"""Training: the loop that trains networks. `fit` reads as its flow, the other files are its parts;
`pretraining` is the loop before it."""
