"""Networks: architectures as frozen values, built with the strategies' layers at their sites."""
