"""The executor ``dask``: calls by the workers of a Dask cluster, on this machine or many."""
