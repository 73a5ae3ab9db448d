"""One typed configuration, read from one YAML file, that can say where every value came from."""
