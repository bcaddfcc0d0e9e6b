"""What everything else stands on: errors, keys, frozen settings, registries, files, JSON, the environment."""
