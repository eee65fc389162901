"""What a suggestion is made of: records, taxonomy, classifier, places, policy and their bundle."""
