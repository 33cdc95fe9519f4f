"""What is fast, measured: `python -m benchmarks NAME`, and `make bench` for all and the page docs/performance.md."""
