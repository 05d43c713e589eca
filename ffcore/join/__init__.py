"""Joining: compatibility of pmappings, and what joiners take and give."""
