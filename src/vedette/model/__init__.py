"""The nouns every part shares. Imports nothing of ours."""
