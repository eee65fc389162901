"""Where cases, their history and the API keys are kept."""
