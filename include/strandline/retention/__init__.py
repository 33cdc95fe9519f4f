"""How long ticks are kept: old days go to Parquet files, and can be brought back."""
