"""Place resolution: which unit owns the place of the matter, and why."""
