"""The BentoML service in front of ``models.triage``."""
