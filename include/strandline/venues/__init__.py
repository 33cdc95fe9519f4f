"""One folder per venue behind the same protocols. A venue's code knows its venue and nothing else of the pipeline."""
