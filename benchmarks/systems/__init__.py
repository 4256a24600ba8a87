"""Adapters: each runs one system as worker and as producer, inside that system's own environment."""
