"""The pipeline's steps, one function per Airflow task; the lowest floor that reads the clock."""
