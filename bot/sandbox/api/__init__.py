"""WeCom's server API, one module per chapter of the vendor's documentation."""
