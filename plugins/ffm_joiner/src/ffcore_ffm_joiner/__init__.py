"""The FFM join for ffcore."""
