"""The pages; reads only."""
