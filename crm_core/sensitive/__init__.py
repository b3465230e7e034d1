"""Sensitive words (敏感词): what must not be said, how it is found however it is written, and what comes of a hit."""
