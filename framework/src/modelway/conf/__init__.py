"""The framework's own configuration: what every project starts from."""
